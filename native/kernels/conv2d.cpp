#include "conv2d.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "../core/module.h"
#include "conv2d_gradient.h"
#include "im2col.h"
#include "linear.h"
#include "linear_gradient.h"
#include "policy.h"
#include "training_scope.h"
#include "winograd.h"
#include "winograd_fixed.h"

namespace ldm {

namespace {

/// A 1x1 convolution: a linear map of each pixel.
at::Tensor pointwise(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const at::Tensor pixels = x.contiguous(at::MemoryFormat::ChannelsLast).permute({0, 2, 3, 1});
  const at::Tensor y = matrixProduct(pixels.reshape({-1, x.size(1)}), weight.flatten(1), bias);
  return y.view({x.size(0), x.size(2), x.size(3), weight.size(0)}).permute({0, 3, 1, 2});
}

/// The 3x3 convolution of x, doubled or not, in fixed point; undefined where that does not suit. What a training step
/// computes without gradients has the same filters as what it computes with them: from weights that are not rounded.
at::Tensor fixedConv3x3(const FastScope& fast, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        bool doubled) {
  if (fast.type() != at::kBFloat16 || !winogradFixedSuits(x, weight, doubled)) return {};
  return winogradFixedConv3x3(fast.take(x), TrainingScope::active() ? weight : fast.take(weight), bias, doubled);
}

at::Tensor fastConv2d(const at::Tensor& x, const at::Tensor& w, const at::Tensor& bias, int64_t stride,
                      int64_t padding) {
  const bool unit = stride == 1 && padding == 0 && w.size(2) == 1 && w.size(3) == 1;
  if (unit) return pointwise(x, w, bias);
  if (stride == 1 && padding == 1 && winogradSuits(x, w)) return winogradConv3x3(x, w, bias);
  if (im2colSuits(x, w, stride, padding)) return im2colConv(x, w, bias, stride, padding);
  return at::conv2d(x.contiguous(at::MemoryFormat::ChannelsLast), w, bias, stride, padding);
}

/// libtorch's convolutions of many pixels are faster in channels-last layout, those of few in the contiguous one.
at::Tensor inLayoutFor(int64_t pixels, const at::Tensor& x) {
  constexpr int64_t kFewPixels = 512;
  return x.contiguous(pixels <= kFewPixels ? at::MemoryFormat::Contiguous : at::MemoryFormat::ChannelsLast);
}

/// The bias, also where there is none: autograd's functions take no undefined tensors.
at::Tensor offsetOf(const at::Tensor& weight, const at::Tensor& bias) {
  return bias.defined() ? bias : at::zeros({weight.size(0)}, weight.options().requires_grad(false));
}

at::Tensor conv2dWithGradient(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, int64_t stride,
                              int64_t padding) {
  // Frozen weights belong to networks that only measure (LPIPS), whose kinks make much of a rounding error.
  if (!weight.requires_grad()) return at::conv2d(x, weight, bias, stride, padding);
  const int64_t pixels = x.size(0) * (x.size(2) / stride) * (x.size(3) / stride);
  const bool few = pixels * weight.size(0) < kFewElements;
  if (!few && weight.size(2) == 1 && weight.size(3) == 1 && stride == 1 && padding == 0)
    return pointwiseWithGradient(x, weight, bias);
  if (columnsSuit(x, weight, stride, padding))
    return columnsWithGradient(x, weight, offsetOf(weight, bias), stride, padding);
  // with fewer channels the three transforms of a step take as long as the products that they save
  const bool wide = std::min(weight.size(0), weight.size(1)) >= 128;
  if (!few && wide && stride == 1 && padding == 1 && winogradSuits(x, weight))
    return winogradWithGradient(x, weight, offsetOf(weight, bias));
  return at::conv2d(few && x.is_contiguous() ? x : inLayoutFor(pixels, x), weight, bias, stride, padding);
}

/// Under autocast to bfloat16.
at::Tensor conv2dInHalf(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, int64_t stride,
                        int64_t padding) {
  const int64_t pixels = x.size(0) * (x.size(2) / stride) * (x.size(3) / stride);
  if (std::max(pixels * weight.size(0), weight.numel()) < kFewElements)
    return at::conv2d(x, weight, bias, stride, padding);
  if (stride == 1 && padding == 1 && winogradFixedSuits(x, weight, /*doubled=*/false))
    return winogradFixedWithGradient(x, weight, offsetOf(weight, bias), /*doubled=*/false);
  if (stride == 1 && padding == 0 && weight.size(2) == 1 && weight.size(3) == 1)
    return pointwiseWithGradient(x.to(at::kBFloat16), weight, bias);
  // with a stride or another size of kernel
  constexpr int64_t kMostPixels = 1024;
  if (columnsSuit(x, weight, stride, padding, kMostPixels))
    return columnsWithGradient(x.to(at::kBFloat16), weight, offsetOf(weight, bias), stride, padding);
  return at::conv2d(inLayoutFor(pixels, x), weight, bias, stride, padding);
}

}  // namespace

at::Tensor conv2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, int64_t stride,
                  int64_t padding) {
  const bool fits = x.dim() == 4 && x.size(1) == weight.size(1);
  if (fits && fastTraining({x, weight, bias})) return conv2dWithGradient(x, weight, bias, stride, padding);
  if (fits && fastHalfTraining({x, weight, bias})) return conv2dInHalf(x, weight, bias, stride, padding);
  const FastScope fast({x, weight, bias});
  if (!fast || !fits) return at::conv2d(x, widened(weight, x), bias, stride, padding);
  const at::Tensor offset = bias.defined() ? fast.take(bias) : bias;
  if (stride == 1 && padding == 1)
    if (const at::Tensor y = fixedConv3x3(fast, x, weight, offset, /*doubled=*/false); y.defined()) return y;
  return fastConv2d(fast.take(x), fast.take(weight), offset, stride, padding);
}

at::Tensor doubledConv2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const bool fits = x.dim() == 4 && x.size(1) == weight.size(1);
  if (fits && fastHalfTraining({x, weight, bias}) && 4 * x.numel() >= kFewElements &&
      winogradFixedSuits(x, weight, /*doubled=*/true))
    return winogradFixedWithGradient(x, weight, offsetOf(weight, bias), /*doubled=*/true);
  if (fits && !needGradients({x, weight, bias})) {
    const FastScope fast({x, weight, bias});
    if (fast) {
      if (const at::Tensor y = fixedConv3x3(fast, x, weight, bias, /*doubled=*/true); y.defined()) return y;
      const at::Tensor image = fast.take(x), w = fast.take(weight);
      if (winogradSuits(image, w, /*doubled=*/true)) return winogradDoubledConv3x3(image, w, bias);
    }
  }
  return conv2d(at::upsample_nearest2d(x, {x.size(2) * 2, x.size(3) * 2}, 2.0, 2.0), weight, bias, 1, 1);
}

}  // namespace ldm
