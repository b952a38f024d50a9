// Training with one AdamW over a part of a model, as Lightning drives the diffusion models and the classifier:
// gradients of several micro-batches may be added before a step.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "optimizer.h"
#include "stepper.h"

namespace ldm {

/// The 0-dim tensors of a log as numbers; waits for the device once.
Map scalarLog(const std::vector<std::pair<std::string, at::Tensor>>& log);

/// The optimizer of a model, and whether gradients of earlier micro-batches wait for its step.
class SingleOptimizer {
 public:
  /// torch.optim.AdamW with torch's defaults but for the weight decay.
  /// @param args those of configureOptimizers: learningRate, firstMoment
  void configure(std::vector<at::Tensor> parameters, const Value& args, double weightDecay = 1e-2);
  /// Throws ERR_INVALID_ARGUMENT before `configure`.
  Optimizer& optimizer() const;

  /// Before the loss of a micro-batch: drops the gradients of the last step.
  void begin();
  /// After it: backward, and the step when it is due. `args` are those of trainBatch, as Stepper has them; `model`
  /// holds the parameters whose gradients are looked at.
  void finish(const at::Tensor& loss, const Value& args, const Module& model);

  /// What trainBatch returns after `finish`: {log: the scalars and what `complete` adds}, nothing of it unless `args`
  /// have `log`; with `defer` on a GPU also `later`, as deferredLog() has it.
  Value log(const std::vector<std::pair<std::string, at::Tensor>>& scalars, const Value& args,
            const std::function<void(Map&)>& complete) const;

  /// Hands over what the trainer calls by these names: setLearningRates, optimizerStates, loadOptimizerStates,
  /// stepperState, loadStepperState. This object must live as long as what it is handed to.
  void announce(const std::function<void(std::string name, Object::Method fn)>& method);

 private:
  std::shared_ptr<Optimizer> optimizer_;
  Stepper stepper_;
  bool accumulating_ = false;
};

}  // namespace ldm
