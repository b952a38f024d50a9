#include "conv2d.h"

#include <ATen/ATen.h>

#include "../core/module.h"
#include "im2col.h"
#include "linear.h"
#include "policy.h"
#include "winograd.h"

namespace ldm {

namespace {

/// A 1x1 convolution: a linear map of each pixel.
at::Tensor pointwise(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const at::Tensor pixels = x.contiguous(at::MemoryFormat::ChannelsLast).permute({0, 2, 3, 1});
  const at::Tensor y = matrixProduct(pixels.reshape({-1, x.size(1)}), weight.flatten(1), bias);
  return y.view({x.size(0), x.size(2), x.size(3), weight.size(0)}).permute({0, 3, 1, 2});
}

at::Tensor fastConv2d(const at::Tensor& x, const at::Tensor& w, const at::Tensor& bias, int64_t stride,
                      int64_t padding) {
  const bool unit = stride == 1 && padding == 0 && w.size(2) == 1 && w.size(3) == 1;
  if (unit) return pointwise(x, w, bias);
  if (stride == 1 && padding == 1 && winogradSuits(x, w)) return winogradConv3x3(x, w, bias);
  if (im2colSuits(x, w, stride, padding)) return im2colConv(x, w, bias, stride, padding);
  return at::conv2d(x.contiguous(at::MemoryFormat::ChannelsLast), w, bias, stride, padding);
}

}  // namespace

at::Tensor conv2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, int64_t stride,
                  int64_t padding) {
  const FastScope fast({x, weight, bias});
  if (!fast || x.dim() != 4 || x.size(1) != weight.size(1))
    return at::conv2d(x, widened(weight, x), bias, stride, padding);
  return fastConv2d(fast.take(x), fast.take(weight), bias.defined() ? fast.take(bias) : bias, stride, padding);
}

}  // namespace ldm
