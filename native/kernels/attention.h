// Softmax attention with its fast path.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// The largest finite number of a floating point type; scores that must not count are filled with its negative.
double largestFinite(at::ScalarType type);

/// softmax(scale * q k^T) v over sequences (Vaswani et al. 2017).
///
/// Never holds the [n, m] weights where the device and the layout allow that: on the CPU by blocks of queries
/// (blockwise_attention.h, attention_gradient.h), else by libtorch's fused attention. Their sums run in another order
/// than the plain formula's; the difference is in the last bits.
/// @param q [b, heads, n, d]
/// @param k [b, heads, m, d]
/// @param v [b, heads, m, e]
/// @param keyMask bool [b, m], false where a key is hidden, or undefined. A row without any visible key attends to all
///   keys equally, as in the reference, which fills with the smallest finite number.
/// @return [b, heads, n, e]
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                     const at::Tensor& keyMask = {});

/// attention() of one sequence to itself, where no token sees a later one.
at::Tensor causalAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale);

}  // namespace ldm
