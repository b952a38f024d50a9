// attention() where gradients are needed.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// attention() of operands that are all fp32 or all bfloat16, which autograd can go back through (once: the gradients
/// have none of their own). It keeps its operands only: the backward pass computes the weights again, by blocks of
/// queries, in fp32.
at::Tensor attentionWithGradient(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale);

}  // namespace ldm
