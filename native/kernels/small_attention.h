// Softmax attention whose keys and values fit in the second-level cache.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// Whether smallAttention() is the faster way for these: many heads of few tokens, where calls of a library's products
/// take longer than the products.
bool smallAttentionSuits(const at::Tensor& k, const at::Tensor& v);

/// softmax(scale * q k^T) v for q [b, heads, n, d], k [b, heads, m, d], v [b, heads, m, e], all fp32 or all bfloat16,
/// on the CPU and without autograd, in any layout. Scores, weights and sums are fp32 in either format.
/// @return [b, heads, n, e], whose memory is laid out as [b, n, heads, e]
at::Tensor smallAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale);

}  // namespace ldm
