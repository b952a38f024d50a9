#include "single_optimizer.h"

#include "../core/context.h"

namespace ldm {

void SingleOptimizer::configure(std::vector<at::Tensor> parameters, double learningRate, double weightDecay) {
  const AdamOptions options{learningRate, 0.9, 0.999, 1e-8, weightDecay};
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
