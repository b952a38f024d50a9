// Attention with products of bfloat16 pairs.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// Whether the processor multiplies bfloat16 numbers (AVX-512 BF16), which bf16Attention() needs.
bool bf16AttentionAvailable();

/// attention() of bfloat16 operands, forward only. Scores and their softmax are in fp32; the weights are rounded to
/// bfloat16 for the product with the values, whose sums are in fp32 as well. Blocks of queries see blocks of keys one
/// after another, with what was summed scaled down where a larger score turns up (Milakov & Gimelshein 2018), so that
/// memory does not grow with the product of their numbers.
/// @param q, k, v, scale as attention(), of one batch; scale > 0
at::Tensor bf16Attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale);

}  // namespace ldm
