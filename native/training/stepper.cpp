#include "stepper.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "../core/autograd.h"
#include "deferred_log.h"
#include "gradient_clipping.h"
#include "nan_guard.h"

namespace ldm {

namespace {

bool stepsInBackward(const Value& args, at::Device device) {
  return args.has("stepInBackward") && args.boolean("stepInBackward") && args.boolean("step") &&
         args.integer("accumulate") == 1 && args.get("clip").isNull() && device.is_cpu() && !GradScaler::isDue(device);
}

std::string nameOf(const at::Tensor& parameter, const Module& model) {
  const auto named = model.namedParameters();
  const auto own = std::find_if(named.begin(), named.end(), [&](const auto& n) { return n.second.is_same(parameter); });
  return own == named.end() ? "a parameter" : own->first;
}

}  // namespace

void Stepper::backward(const at::Tensor& loss, const std::string& name, const Value& args, Optimizer& optimizer,
                       const Module& model) {
  stepped_ = 0;
  const bool log = args.boolean("log") && !defersLog(args, loss.device());
  if (log) checkFinite(loss, name);
  if (!stepsInBackward(args, loss.device())) {
    const int64_t accumulate = args.integer("accumulate");
    const at::Tensor share = accumulate == 1 ? loss : loss / accumulate;
    ldm::backward(GradScaler::isDue(loss.device()) ? scaler_.scale(share) : share);
    return;
  }
  const auto& parameters = optimizer.parameters();
  const GradientHooks hooks(parameters, [&](size_t i) {
    const at::Tensor& parameter = parameters[i];
    if (!parameter.grad().defined()) return;
    if (log && !isFinite(parameter.grad()))
      throw LdmError("ERR_NAN", "The gradient of " + nameOf(parameter, model) + " is not finite");
    optimizer.step(i);
    parameter.mutable_grad().reset();
    ++stepped_;
  });
  of_ = parameters.size();
  ldm::backward(loss);
  stepped_ = 0;
}

bool Stepper::step(Optimizer& optimizer, const Module& model, const Value& args) {
  if (!args.boolean("step")) return false;
  const auto& parameters = optimizer.parameters();
  const at::Device device = parameters[0].device();
  unfit_ = at::Tensor();
  if (GradScaler::isDue(device)) {
    scaled_ = true;
    unfit_ = scaler_.unscale(parameters);
    scaler_.update(unfit_);
  } else if (defersLog(args, device)) {
    unfit_ = nonFiniteGradients(parameters, at::ones({1}, at::TensorOptions(device).dtype(at::kFloat)));
  } else if (args.boolean("log")) {
    checkFiniteGradients(model.namedParameters());
  }
  clipGradients(parameters, args.get("clip"));
  optimizer.step(unfit_);
  return true;
}

Value Stepper::state() const {
  Value unfinished;
  if (stepped_ > 0) unfinished = Map{{"stepped", static_cast<int64_t>(stepped_)}, {"of", static_cast<int64_t>(of_)}};
  return Map{{"scaler", scaled_ ? scaler_.state() : Value()}, {"unfinished", std::move(unfinished)}};
}

void Stepper::loadState(const Value& args) {
  if (args.get("scaler").isNull()) return;
  scaler_.loadState(args.get("scaler"));
  scaled_ = true;
}

}  // namespace ldm
