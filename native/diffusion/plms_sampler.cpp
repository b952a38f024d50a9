#include "plms_sampler.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "../core/registry.h"

namespace ldm {

PLMSSampler::PLMSSampler(const Value& params) : DDIMSampler(params) {
  if (params.number("eta") != 0)
    invalid("PLMS is deterministic: 'eta' must be 0, but is " + params.get("eta").describe());
}

Evaluation PLMSSampler::nextEvaluation() {
  if (!firstEps_.defined()) return DDIMSampler::nextEvaluation();
  return {trial_, timestepTensor(std::max<int64_t>(index_ - 1, 0))};
}

bool PLMSSampler::advance(const at::Tensor& out, const Evaluation& at) {
  auto eps = epsOf(out, at);
  if (!before_.empty()) {
    take(stepWith(extrapolate(eps)));
    remember(eps);
    return true;
  }
  if (!firstEps_.defined()) {
    firstEps_ = eps;
    trial_ = stepWith(eps).x;
    return false;
  }
  take(stepWith((firstEps_ + eps) / 2));
  remember(firstEps_);
  firstEps_.reset();
  trial_.reset();
  return true;
}

at::Tensor PLMSSampler::extrapolate(const at::Tensor& eps) const {
  const auto n = before_.size();
  if (n == 1) return (3 * eps - before_[0]) / 2;
  if (n == 2) return (23 * eps - 16 * before_[1] + 5 * before_[0]) / 12;
  return (55 * eps - 59 * before_[2] + 37 * before_[1] - 9 * before_[0]) / 24;
}

void PLMSSampler::remember(const at::Tensor& eps) {
  before_.push_back(eps);
  if (before_.size() > 3) before_.erase(before_.begin());
}

REGISTER("ldm.models.diffusion.plms.PLMSSampler", PLMSSampler);

}  // namespace ldm
