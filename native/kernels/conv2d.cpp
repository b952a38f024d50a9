#include "conv2d.h"

#include <ATen/ATen.h>

#include "policy.h"
#include "winograd.h"

namespace ldm {

at::Tensor conv2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, int64_t stride,
                  int64_t padding) {
  if (stride == 1 && padding == 1 && fastKernels({x, weight, bias}) && winogradSuits(x, weight))
    return winogradConv3x3(x, weight, bias);
  return at::conv2d(x, weight, bias, stride, padding);
}

}  // namespace ldm
