#include "grad_scaler.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>

namespace ldm {

bool GradScaler::isDue(at::Device device) {
  return at::autocast::is_autocast_enabled(device.type()) &&
         at::autocast::get_autocast_dtype(device.type()) == at::kHalf;
}

bool GradScaler::unscale(const std::vector<at::Tensor>& parameters) const {
  at::NoGradGuard noGrad;
  std::vector<at::Tensor> gradients;
  for (const auto& parameter : parameters)
    if (parameter.grad().defined()) gradients.push_back(parameter.grad());
  if (gradients.empty()) return true;
  auto options = gradients[0].options().dtype(at::kFloat);
  auto overflow = at::zeros({1}, options);
  at::_amp_foreach_non_finite_check_and_unscale_(gradients, overflow, at::full({1}, 1 / scale_, options));
  return overflow.item<float>() == 0;
}

void GradScaler::update(bool finite) {
  if (!finite) {
    scale_ *= backoffFactor_;
    growthTracker_ = 0;
  } else if (++growthTracker_ == growthInterval_) {
    scale_ *= growthFactor_;
    growthTracker_ = 0;
  }
}

Value GradScaler::state() const {
  return Map{{"scale", scale_},
             {"growth_factor", growthFactor_},
             {"backoff_factor", backoffFactor_},
             {"growth_interval", growthInterval_},
             {"_growth_tracker", growthTracker_}};
}

void GradScaler::loadState(const Value& state) {
  scale_ = state.number("scale");
  growthFactor_ = state.number("growth_factor");
  backoffFactor_ = state.number("backoff_factor");
  growthInterval_ = state.integer("growth_interval");
  growthTracker_ = state.integer("_growth_tracker");
}

}  // namespace ldm
