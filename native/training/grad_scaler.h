// Loss scaling for training in float16 (Micikevicius et al. 2018, https://arxiv.org/abs/1710.03740) with the rule and
// the state of torch.cuda.amp.GradScaler, which Lightning stores as `native_amp_scaling_state`.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "../core/value.h"

namespace ldm {

/// Multiplies losses so that small gradients survive float16, and adapts the factor: it is halved when a gradient
/// overflows (that step is left out) and doubled after 2000 steps without overflow.
class GradScaler {
 public:
  GradScaler();
  /// Whether the running job computes on `device` in float16, so that scaling is due.
  static bool isDue(at::Device device);

  at::Tensor scale(const at::Tensor& loss);
  /// Divides the gradients by the factor. Returns fp32 [1] on their device, more than 0 where one of them is not
  /// finite.
  at::Tensor unscale(const std::vector<at::Tensor>& parameters);
  /// Adapts the factor after a step, or after one that was left out, which `overflow` of `unscale` tells.
  void update(const at::Tensor& overflow);

  /// {scale, growth_factor, backoff_factor, growth_interval, _growth_tracker}
  Value state() const;
  void loadState(const Value& state);

 private:
  /// Where losses and gradients are, so that the host waits for no step to know the factor.
  void moveTo(at::Device device);

  at::Tensor scale_, growthTracker_;  ///< fp32 and int32 [1]
  double growthFactor_ = 2, backoffFactor_ = 0.5;
  int64_t growthInterval_ = 2000;
};

}  // namespace ldm
