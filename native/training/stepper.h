// From the loss of a micro-batch to the step of an optimizer, in the order of Lightning's automatic optimization: scale
// the loss, go backward, and when the step is due, look at the gradients, clip them, step. Where nothing needs all
// gradients at once, a parameter may be stepped as soon as its own gradient is there, which is then freed: the numbers
// are the same, and the gradients of a large network take no memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "../core/module.h"
#include "grad_scaler.h"
#include "optimizer.h"

namespace ldm {

/// The part of a training batch that does not depend on the model. All members take the arguments of `trainBatch`:
/// `accumulate`, the number of micro-batches of a step; `step`, whether the step is due after this one; `log`, whether
/// to wait for the device and look for numbers that are not finite; optionally `defer`, whether to leave both to a
/// later look at the log (deferred_log.h), `clip` (see gradient_clipping.h), and `stepInBackward`: whether parameters
/// may be stepped within the backward pass, which is done on the CPU without accumulation, clipping and loss scaling.
class Stepper {
 public:
  /// Goes backward from the loss of one micro-batch. With `log` a loss that is not finite throws ERR_NAN that names it.
  ///
  /// Within the backward pass it may step parameters of `optimizer`, see above. With `log` a gradient that is not
  /// finite then throws ERR_NAN as well, which names a parameter of `model`. No such gradient reaches a weight, but
  /// parameters whose gradients came first have had their step: `unfinished` counts them, also when anything else ended
  /// the pass.
  void backward(const at::Tensor& loss, const std::string& name, const Value& args, Optimizer& optimizer,
                const Module& model);
  /// Steps what has a gradient, where that is due. With `log` gradients of `model` that are not finite throw ERR_NAN
  /// before the step; in float16, and with `defer`, such a step is left out instead.
  /// @returns whether the step was due
  bool step(Optimizer& optimizer, const Module& model, const Value& args);

  /// Of the last step: more than 0 where it was left out. Undefined where nothing could leave it out.
  const at::Tensor& unfit() const { return unfit_; }

  /// {scaler: state of loss scaling, or null while it was not needed,
  /// unfinished: {stepped, of} parameters when the last backward pass ended in the middle of a step, or null}
  Value state() const;
  void loadState(const Value& args);

 private:
  GradScaler scaler_;
  at::Tensor unfit_;             ///< fp32 [1]
  bool scaled_ = false;          ///< whether losses were ever scaled
  size_t stepped_ = 0, of_ = 0;  ///< parameters that a backward pass has stepped before it failed, and all of them
};

}  // namespace ldm
