#include "nan_guard.h"

#include <ATen/ATen.h>

#include "../core/error.h"

namespace ldm {

namespace {

// A sum is finite only if all of its elements are, up to overflow, which is as bad: one pass, no mask in memory.
bool finite(const at::Tensor& value) {
  return value.detach().sum(at::kDouble).isfinite().item<bool>();
}

}  // namespace

void checkFinite(const at::Tensor& value, const std::string& what) {
  if (!finite(value)) throw LdmError("ERR_NAN", what + " is not finite");
}

void checkFiniteGradients(const std::vector<std::pair<std::string, at::Tensor>>& parameters) {
  for (const auto& [name, parameter] : parameters)
    if (parameter.grad().defined()) checkFinite(parameter.grad(), "The gradient of " + name);
}

}  // namespace ldm
