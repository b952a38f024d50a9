// attention() where gradients are needed.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// blockwiseAttention() in fp32 that autograd can go back through (once: the gradients have none of their own). It
/// keeps its operands only: the backward pass computes the weights again, by blocks of queries.
at::Tensor attentionWithGradient(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale);

}  // namespace ldm
