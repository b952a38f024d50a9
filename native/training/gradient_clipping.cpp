#include "gradient_clipping.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <string>

#include "../core/error.h"

namespace ldm {

namespace {

std::vector<at::Tensor> gradientsOf(const std::vector<at::Tensor>& parameters) {
  std::vector<at::Tensor> gradients;
  for (const auto& parameter : parameters)
    if (parameter.grad().defined()) gradients.push_back(parameter.grad());
  return gradients;
}

}  // namespace

void clipGradientNorm(const std::vector<at::Tensor>& parameters, double limit) {
  at::NoGradGuard noGrad;
  auto gradients = gradientsOf(parameters);
  if (gradients.empty()) return;
  auto norm = at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients, 2)));
  // torch multiplies in every case, so that nothing has to wait for the device.
  at::_foreach_mul_(gradients, at::clamp_max(limit / (norm + 1e-6), 1.0));
}

void clipGradientValue(const std::vector<at::Tensor>& parameters, double limit) {
  at::NoGradGuard noGrad;
  for (auto& gradient : gradientsOf(parameters)) gradient.clamp_(-limit, limit);
}

void clipGradients(const std::vector<at::Tensor>& parameters, const Value& clip) {
  if (clip.isNull()) return;
  const auto& algorithm = clip.string("algorithm");
  const double limit = clip.number("value");
  if (algorithm == "norm")
    clipGradientNorm(parameters, limit);
  else if (algorithm == "value")
    clipGradientValue(parameters, limit);
  else
    invalid("the algorithm of gradient clipping must be 'norm' or 'value', but is '" + algorithm + "'");
}

}  // namespace ldm
