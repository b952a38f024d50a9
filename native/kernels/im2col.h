// Convolution as one matrix product over unfolded patches.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// Whether im2colConv is right for these shapes: many channels over few pixels. There the weights are most of the
/// memory that is touched, and the other algorithms rearrange them at each call; the product reads them as they are.
bool im2colSuits(const at::Tensor& x, const at::Tensor& weight, int64_t stride, int64_t padding);

/// What each output of a convolution is computed from: [N * h * w, C * taps], in the order of a row of the weights.
/// x [N, C, H, W] in any layout, fp32 or bfloat16 on the CPU; no autograd.
at::Tensor patchesOf(const at::Tensor& x, const at::Tensor& weight, int64_t stride, int64_t padding);

/// conv2d(x, weight, bias, stride, padding) for x [N, C, H, W] in any layout; the result is in channels-last layout.
/// fp32 or bfloat16 on the CPU, without autograd. `bias` may be undefined.
at::Tensor im2colConv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, int64_t stride,
                      int64_t padding);

}  // namespace ldm
