#include "stepper.h"

#include <ATen/ATen.h>

#include "../core/autograd.h"
#include "gradient_clipping.h"
#include "nan_guard.h"

namespace ldm {

void Stepper::backward(const at::Tensor& loss, const std::string& name, const Value& args) const {
  if (args.boolean("log")) checkFinite(loss, name);
  const int64_t accumulate = args.integer("accumulate");
  const at::Tensor share = accumulate == 1 ? loss : loss / accumulate;
  ldm::backward(GradScaler::isDue(loss.device()) ? scaler_.scale(share) : share);
}

bool Stepper::step(Optimizer& optimizer, const Module& model, const Value& args) {
  if (!args.boolean("step")) return false;
  bool finite = true;
  const bool scaled = GradScaler::isDue(optimizer.parameters()[0].device());
  if (scaled) {
    scaled_ = true;
    finite = scaler_.unscale(optimizer.parameters());
    scaler_.update(finite);
  } else if (args.boolean("log")) {
    checkFiniteGradients(model.namedParameters());
  }
  if (finite) {
    clipGradients(optimizer.parameters(), args.get("clip"));
    optimizer.step();
  }
  return true;
}

Value Stepper::state() const { return Map{{"scaler", scaled_ ? scaler_.state() : Value()}}; }

void Stepper::loadState(const Value& args) {
  if (args.get("scaler").isNull()) return;
  scaler_.loadState(args.get("scaler"));
  scaled_ = true;
}

}  // namespace ldm
