// Softmax attention by blocks of queries on oneDNN's products.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// softmax(scale * q k^T) v for q [b, heads, n, d], k [b, heads, m, d], v [b, heads, m, e], all fp32 or all bfloat16,
/// on the CPU and without autograd, in any layout. Holds the scores of one block of queries at a time, in fp32; what is
/// exponentiated is the distance to the row's largest score. In bfloat16 the scores are computed in fp32 and the
/// weights are rounded before they meet v.
/// @return [b, heads, n, e], whose memory is laid out as [b, n, heads, e]
at::Tensor blockwiseAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale);

}  // namespace ldm
