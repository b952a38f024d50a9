// Linear maps with gradients by oneDNN's products, which on some processors take half the time of the BLAS behind
// libtorch's gradients.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// x [P, C], fp32 or bfloat16, times weight [O, C]^T, plus the bias [O] unless that is undefined, in the format of x:
/// the parameters are fp32 or in the same. With autograd (once: the gradients have none of their own).
at::Tensor linearWithGradient(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

/// A 1x1 convolution of x [N, C, H, W] with weight [O, C, 1, 1], in the layout of x. With autograd likewise.
at::Tensor pointwiseWithGradient(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace ldm
