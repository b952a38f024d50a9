// Linear maps with their fast path.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// at::linear(x, weight, bias) with weights that may be stored in half precision.
///
/// Under KernelPolicy::Fast fp32 on the CPU goes through oneDNN, which on some processors is twice as fast as the BLAS
/// behind at::linear: where gradients are needed, if there are many elements (linear_gradient.h).
/// @param x [..., C]
/// @param weight [O, C]
/// @param bias [O] or undefined
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

/// x [P, C] times weight [O, C]^T, plus the bias, of one number format; no autograd. By oneDNN, or of few rows in
/// bfloat16 by fewRowsProduct().
at::Tensor matrixProduct(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {});

}  // namespace ldm
