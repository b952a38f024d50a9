#include "single_optimizer.h"

#include <ATen/ATen.h>

#include "../core/context.h"
#include "deferred_log.h"

namespace ldm {

Map scalarLog(const std::vector<std::pair<std::string, at::Tensor>>& log) {
  std::vector<at::Tensor> values;
  for (const auto& [name, value] : log) values.push_back(value.detach().to(at::kFloat));
  Map out;
  if (values.empty()) return out;
  auto numbers = at::stack(values).to(at::kCPU, at::kDouble);
  for (size_t i = 0; i < log.size(); ++i) out.set(log[i].first, numbers.data_ptr<double>()[i]);
  return out;
}

void SingleOptimizer::configure(std::vector<at::Tensor> parameters, const Value& args, double weightDecay) {
  const AdamOptions options{.lr = args.number("learningRate"),
                            .beta1 = 0.9,
                            .beta2 = 0.999,
                            .eps = 1e-8,
                            .weightDecay = weightDecay,
                            .halfFirstMoment = hasHalfFirstMoment(args)};
  optimizer_ = std::make_shared<Optimizer>(std::move(parameters), options, /*decoupled=*/true);
  accumulating_ = false;
}

Optimizer& SingleOptimizer::optimizer() const {
  if (!optimizer_) invalid("the model has no optimizer yet; call configureOptimizers({learningRate}) first");
  return *optimizer_;
}

void SingleOptimizer::begin() {
  if (!accumulating_) optimizer().zeroGrad();
}

void SingleOptimizer::finish(const at::Tensor& loss, const Value& args, const Module& model) {
  poll();
  stepper_.backward(loss, "The loss", args, optimizer(), model);
  poll();
  accumulating_ = !stepper_.step(optimizer(), model, args);
  if (!accumulating_) optimizer().zeroGrad();
}

Value SingleOptimizer::log(const std::vector<std::pair<std::string, at::Tensor>>& scalars, const Value& args,
                           const std::function<void(Map&)>& complete) const {
  Map log;
  if (!args.boolean("log")) return Map{{"log", std::move(log)}};
  const bool deferred = defersLog(args, optimizer().parameters()[0].device());
  if (deferred)
    for (const auto& [name, value] : scalars) log.set(name, value);
  else
    log = scalarLog(scalars);
  complete(log);
  if (!deferred) return Map{{"log", std::move(log)}};
  return deferredLog(log, accumulating_ ? std::vector<at::Tensor>{} : std::vector<at::Tensor>{stepper_.unfit()});
}

void SingleOptimizer::announce(const std::function<void(std::string, Object::Method)>& method) {
  method("setLearningRates", [this](const Value& a) -> Value {
    const auto rates = a.numbers("rates");
    if (rates.size() != 1) invalid("the model has one optimizer, but got " + std::to_string(rates.size()) + " rates");
    optimizer().setLearningRate(rates[0]);
    return {};
  });
  method("optimizerStates", [this](const Value&) -> Value { return Map{{"states", List{optimizer().state()}}}; });
  method("loadOptimizerStates", [this](const Value& a) -> Value {
    const auto& states = a.get("states").asList("states");
    if (states.size() != 1)
      invalid("the model has one optimizer, but the checkpoint holds the states of " + std::to_string(states.size()));
    optimizer().loadState(states[0]);
    return {};
  });
  method("stepperState", [this](const Value&) -> Value { return stepper_.state(); });
  method("loadStepperState", [this](const Value& a) -> Value {
    stepper_.loadState(a);
    return {};
  });
}

}  // namespace ldm
