// From the loss of a micro-batch to the step of an optimizer, in the order of Lightning's automatic optimization: scale
// the loss, go backward, and when the step is due, look at the gradients, clip them, step.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "../core/module.h"
#include "grad_scaler.h"
#include "optimizer.h"

namespace ldm {

/// The part of a training batch that does not depend on the model. All members take the arguments of `trainBatch`:
/// `accumulate`, the number of micro-batches of a step; `step`, whether the step is due after this one; `log`, whether
/// to wait for the device and look for numbers that are not finite; optionally `clip` (see gradient_clipping.h).
class Stepper {
 public:
  /// Goes backward from the loss of one micro-batch. With `log` a loss that is not finite throws ERR_NAN that names it.
  void backward(const at::Tensor& loss, const std::string& name, const Value& args) const;
  /// Steps where that is due. With `log` gradients of `model` that are not finite throw ERR_NAN before the step; in
  /// float16 such a step is left out instead, as long as the scale adapts.
  /// @returns whether the step was due
  bool step(Optimizer& optimizer, const Module& model, const Value& args);

  /// {scaler: state of loss scaling, or null while it was not needed}
  Value state() const;
  void loadState(const Value& args);

 private:
  GradScaler scaler_;
  bool scaled_ = false;  ///< whether losses were ever scaled
};

}  // namespace ldm
