// Guards against numbers that are not finite, so that a run stops (or leaves a step out) before its weights are spoilt.
// Trouble this is for: the adaptive weight and LPIPS' square roots overflow in half precision and with batch size 1.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

namespace ldm {

/// Whether every element is.
bool isFinite(const at::Tensor& value);

/// Throws LdmError(ERR_NAN) that names `what` when an element is NaN or infinite. Call it on a loss before `backward`.
void checkFinite(const at::Tensor& value, const std::string& what);

/// The same for the gradients of named parameters, naming the first that is not finite; parameters without one are
/// passed over. Call it before a step. Waits for the device once.
void checkFiniteGradients(const std::vector<std::pair<std::string, at::Tensor>>& parameters);

/// The same without waiting: fp32 [1] on the parameters' device, more than 0 where a gradient of theirs is not finite.
/// Multiplies the gradients by `factor`, fp32 [1] there.
at::Tensor nonFiniteGradients(const std::vector<at::Tensor>& parameters, const at::Tensor& factor);

}  // namespace ldm
