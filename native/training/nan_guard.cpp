#include "nan_guard.h"

#include <ATen/ATen.h>

#include "../core/error.h"
#include "../kernels/finite.h"

namespace ldm {

namespace {

// A sum is finite only if all of its elements are, up to overflow, which in double precision is as bad: one pass, no
// mask in memory.
at::Tensor total(const at::Tensor& value) { return value.detach().sum(at::kDouble); }

}  // namespace

bool isFinite(const at::Tensor& value) {
  return allFiniteSuits(value) ? allFinite(value) : total(value).isfinite().item<bool>();
}

void checkFinite(const at::Tensor& value, const std::string& what) {
  if (!isFinite(value)) throw LdmError("ERR_NAN", what + " is not finite");
}

void checkFiniteGradients(const std::vector<std::pair<std::string, at::Tensor>>& parameters) {
  std::vector<at::Tensor> totals;
  bool finite = true;
  for (const auto& [name, parameter] : parameters) {
    const at::Tensor& gradient = parameter.grad();
    if (!gradient.defined()) continue;
    if (allFiniteSuits(gradient))
      finite = finite && allFinite(gradient);
    else
      totals.push_back(total(gradient));
  }
  if (finite && (totals.empty() || at::stack(totals).isfinite().all().item<bool>())) return;
  for (const auto& [name, parameter] : parameters)
    if (parameter.grad().defined()) checkFinite(parameter.grad(), "The gradient of " + name);
}

at::Tensor nonFiniteGradients(const std::vector<at::Tensor>& parameters, const at::Tensor& factor) {
  std::vector<at::Tensor> gradients;
  for (const auto& parameter : parameters)
    if (parameter.grad().defined()) gradients.push_back(parameter.grad());
  at::Tensor found = at::zeros({1}, factor.options());
  if (!gradients.empty()) at::_amp_foreach_non_finite_check_and_unscale_(gradients, found, factor);
  return found;
}

}  // namespace ldm
