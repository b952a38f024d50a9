// Training with two optimizers, an autoencoder's and a discriminator's, in the order of PyTorch Lightning 1.4's
// automatic optimization: for each optimizer in turn, freeze the other's parameters, compute its loss in a full forward
// pass of its own, clear the gradients, go backward, step.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <vector>

#include "../core/module.h"
#include "../modules/gan_loss.h"
#include "optimizer.h"
#include "stepper.h"

namespace ldm {

/// The optimizers of an adversarial model and what they were last doing.
class GanTraining {
 public:
  struct Group {
    std::vector<at::Tensor> parameters;
    double learningRate;
  };
  /// Computes the loss of one optimizer's turn. An undefined loss stands for one whose gradients are all 0: the
  /// optimizer makes its step with those, which counts and lets the moments decay.
  using Turn = std::function<LossResult(int64_t optimizerIdx)>;

  /// Creates an Adam (betas 0.5 and 0.9) for each group.
  /// @param halfFirstMoment see AdamOptions
  void configure(const std::vector<Group>& groups, bool halfFirstMoment);

  /// One micro-batch. `args` are those of Stepper; `log` also tells whether to read the logged scalars. Gives
  /// {log: {name: number}, turns: [{loss, log}]}, without `log` empty ones, and deferredLog()'s result with `defer` on
  /// a GPU. With `log`, a loss that is not finite, or in `model` a gradient, throws ERR_NAN before the optimizer steps.
  Value trainBatch(const Value& args, const Module& model, const Turn& turn);

  /// {states: [torch's optimizer.state_dict() of each]}
  Value states() const;
  void loadStates(const Value& args);
  void setLearningRates(const std::vector<double>& rates);
  Stepper& stepper() { return stepper_; }

 private:
  void requireConfigured() const;

  std::vector<std::shared_ptr<Optimizer>> optimizers_;
  Stepper stepper_;
  std::vector<bool> stale_;  ///< whether the gradients belong to a step that was already made
};

/// The scalars of a log as numbers; waits for the device.
Map readScalars(const Map& log);

}  // namespace ldm
