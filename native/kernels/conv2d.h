// Convolution with its fast path.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// at::conv2d(x, weight, bias, stride, padding).
///
/// 3x3 convolutions of many channels over large images, where no gradients are needed, go through Winograd's algorithm
/// (winograd.h) under KernelPolicy::Fast; their result is in channels-last layout, which the following layers keep.
/// @param x [N, C, H, W]
/// @param weight [O, C, k, k]
/// @param bias [O] or undefined
at::Tensor conv2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, int64_t stride,
                  int64_t padding);

}  // namespace ldm
