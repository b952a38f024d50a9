// Convolution with its fast path.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// at::conv2d(x, weight, bias, stride, padding).
///
/// Under KernelPolicy::Fast 3x3 convolutions of many channels over large images go through Winograd's algorithm
/// (winograd.h); their result is in channels-last layout, which the following layers keep. Where gradients are needed,
/// the other convolutions take the layout or the algorithm that is fastest for their size (conv2d_gradient.h).
/// @param x [N, C, H, W]
/// @param weight [O, C, k, k]
/// @param bias [O] or undefined
at::Tensor conv2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, int64_t stride,
                  int64_t padding);

/// conv2d(x, weight, bias, 1, 1) with a 3x3 weight of x enlarged to twice its height and width, each pixel to 2x2. The
/// fast paths read each pixel where it is, without an enlarged image.
at::Tensor doubledConv2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace ldm
