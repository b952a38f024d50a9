// Gradient clipping of torch.nn.utils (Pascanu et al. 2013, https://arxiv.org/abs/1211.5063), as Lightning's Trainer
// applies it to the parameters of each optimizer before its step.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "../core/value.h"

namespace ldm {

/// Scales the gradients together so that their l2 norm is at most `limit` (clip_grad_norm_).
void clipGradientNorm(const std::vector<at::Tensor>& parameters, double limit);

/// Clamps each element of the gradients to [-limit, limit] (clip_grad_value_).
void clipGradientValue(const std::vector<at::Tensor>& parameters, double limit);

/// One of the two, as `clip` says: {algorithm: "norm" | "value", value}; null does nothing.
void clipGradients(const std::vector<at::Tensor>& parameters, const Value& clip);

}  // namespace ldm
