// Products of few rows with many weights.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// Whether fewRowsProduct() is right for these: at most 32 rows of bfloat16, rows of whole registers, on a processor
/// that multiplies bfloat16 (AVX-512 BF16).
bool fewRowsSuit(const at::Tensor& x, const at::Tensor& weight);

/// x weight^T + bias. The weights, which are most of the memory that is touched, are read once, as they lie there,
/// while those that come next are fetched: libraries rearrange them first.
/// @param x bfloat16 [M, K]
/// @param weight bfloat16 [N, K]
/// @param bias [N] or undefined
/// @return bfloat16 [M, N], of sums in fp32
at::Tensor fewRowsProduct(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace ldm
