#include "grad_scaler.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>

#include "nan_guard.h"

namespace ldm {

bool GradScaler::isDue(at::Device device) {
  return at::autocast::is_autocast_enabled(device.type()) &&
         at::autocast::get_autocast_dtype(device.type()) == at::kHalf;
}

GradScaler::GradScaler() : scale_(at::full({1}, 65536, at::kFloat)), growthTracker_(at::zeros({1}, at::kInt)) {}

void GradScaler::moveTo(at::Device device) {
  if (scale_.device() == device) return;
  scale_ = scale_.to(device);
  growthTracker_ = growthTracker_.to(device);
}

at::Tensor GradScaler::scale(const at::Tensor& loss) {
  moveTo(loss.device());
  return loss * scale_.squeeze(0);
}

at::Tensor GradScaler::unscale(const std::vector<at::Tensor>& parameters) {
  at::NoGradGuard noGrad;
  moveTo(parameters[0].device());
  return nonFiniteGradients(parameters, scale_.to(at::kDouble).reciprocal().to(at::kFloat));
}

void GradScaler::update(const at::Tensor& overflow) {
  at::NoGradGuard noGrad;
  at::_amp_update_scale_(scale_, growthTracker_, overflow, growthFactor_, backoffFactor_, growthInterval_);
}

Value GradScaler::state() const {
  return Map{{"scale", scale_.item<double>()},
             {"growth_factor", growthFactor_},
             {"backoff_factor", backoffFactor_},
             {"growth_interval", growthInterval_},
             {"_growth_tracker", growthTracker_.item<int64_t>()}};
}

void GradScaler::loadState(const Value& state) {
  scale_.fill_(state.number("scale"));
  growthFactor_ = state.number("growth_factor");
  backoffFactor_ = state.number("backoff_factor");
  growthInterval_ = state.integer("growth_interval");
  growthTracker_.fill_(state.integer("_growth_tracker"));
}

}  // namespace ldm
