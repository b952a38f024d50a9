#include "gan_training.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "../core/autograd.h"
#include "../core/context.h"
#include "deferred_log.h"

namespace ldm {

namespace {

/// Lightning's toggle_optimizer: while it lives, only the active optimizer's parameters require gradients.
class Toggle {
 public:
  Toggle(const std::vector<std::shared_ptr<Optimizer>>& optimizers, const Optimizer& active) {
    for (const auto& optimizer : optimizers) {
      if (optimizer.get() == &active) continue;
      for (at::Tensor p : optimizer->parameters()) {
        if (!p.requires_grad()) continue;
        p.set_requires_grad(false);
        frozen_.push_back(p);
      }
    }
  }
  ~Toggle() {
    for (auto& p : frozen_) p.set_requires_grad(true);
  }
  Toggle(const Toggle&) = delete;

 private:
  std::vector<at::Tensor> frozen_;
};

void addZeroGradients(const Optimizer& optimizer) {
  for (at::Tensor p : optimizer.parameters())
    if (p.requires_grad() && !p.grad().defined()) p.mutable_grad() = at::zeros_like(p);
}

}  // namespace

Map readScalars(const Map& log) {
  std::vector<at::Tensor> onDevice;
  for (const auto& [name, value] : log)
    if (const at::Tensor& t = value.asTensor(name.c_str()); !t.device().is_cpu())
      onDevice.push_back(t.detach().to(at::kDouble));
  const at::Tensor fetched = onDevice.empty() ? at::Tensor() : at::stack(onDevice).cpu();
  Map numbers;
  int64_t next = 0;
  for (const auto& [name, value] : log) {
    const at::Tensor& t = value.asTensor();
    numbers.set(name, (t.device().is_cpu() ? t : fetched[next++]).item<double>());
  }
  return numbers;
}

void GanTraining::configure(const std::vector<Group>& groups, bool halfFirstMoment) {
  optimizers_.clear();
  for (const auto& group : groups) {
    const AdamOptions options{.lr = group.learningRate,
                              .beta1 = 0.5,
                              .beta2 = 0.9,
                              .eps = 1e-8,
                              .weightDecay = 0,
                              .halfFirstMoment = halfFirstMoment};
    optimizers_.push_back(std::make_shared<Optimizer>(group.parameters, options, /*decoupled=*/false));
  }
  stale_.assign(optimizers_.size(), true);
}

void GanTraining::requireConfigured() const {
  if (optimizers_.empty()) invalid("The model has no optimizers yet: call configureOptimizers first");
}

Value GanTraining::trainBatch(const Value& args, const Module& model, const Turn& turn) {
  requireConfigured();
  const bool log = args.boolean("log");
  const bool deferred = defersLog(args, optimizers_[0]->parameters()[0].device());
  std::vector<at::Tensor> guards;
  at::AutoGradMode gradients(true);
  Map all;
  List turns;
  for (size_t i = 0; i < optimizers_.size(); ++i) {
    poll();
    Optimizer& optimizer = *optimizers_[i];
    Toggle toggle(optimizers_, optimizer);
    LossResult result = turn(static_cast<int64_t>(i));
    if (stale_[i]) optimizer.zeroGrad();
    if (result.loss.defined())
      stepper_.backward(result.loss, "The loss of optimizer " + std::to_string(i), args, optimizer, model);
    else
      addZeroGradients(optimizer);
    stale_[i] = stepper_.step(optimizer, model, args);
    if (!log) continue;
    if (deferred) {
      for (const auto& [name, value] : result.log) all.set(name, value);
      if (stale_[i]) guards.push_back(stepper_.unfit());
      continue;
    }
    Map numbers = readScalars(result.log);
    for (const auto& [name, value] : numbers) all.set(name, value);
    turns.emplace_back(Map{{"loss", result.loss.defined() ? result.loss.item<double>() : 0.0}, {"log", numbers}});
  }
  if (deferred) return deferredLog(all, guards);
  return Map{{"log", all}, {"turns", turns}};
}

Value GanTraining::states() const {
  requireConfigured();
  List states;
  for (const auto& optimizer : optimizers_) states.push_back(optimizer->state());
  return Map{{"states", states}};
}

void GanTraining::loadStates(const Value& args) {
  requireConfigured();
  const List& states = args.get("states").asList("states");
  if (states.size() != optimizers_.size())
    invalid("Expected the states of " + std::to_string(optimizers_.size()) + " optimizers but received " +
            std::to_string(states.size()));
  for (size_t i = 0; i < states.size(); ++i) optimizers_[i]->loadState(states[i]);
}

void GanTraining::setLearningRates(const std::vector<double>& rates) {
  requireConfigured();
  if (rates.size() != optimizers_.size())
    invalid("Expected " + std::to_string(optimizers_.size()) + " learning rates but received " +
            std::to_string(rates.size()));
  for (size_t i = 0; i < rates.size(); ++i) optimizers_[i]->setLearningRate(rates[i]);
}

}  // namespace ldm
