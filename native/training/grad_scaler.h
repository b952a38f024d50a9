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
  /// Whether the running job computes on `device` in float16, so that scaling is due.
  static bool isDue(at::Device device);

  at::Tensor scale(const at::Tensor& loss) const { return loss * scale_; }
  /// Divides the gradients by the factor. Returns whether all of them are finite.
  bool unscale(const std::vector<at::Tensor>& parameters) const;
  /// Adapts the factor after a step, or after one that was left out.
  void update(bool finite);

  /// {scale, growth_factor, backoff_factor, growth_interval, _growth_tracker}
  Value state() const;
  void loadState(const Value& state);

 private:
  double scale_ = 65536, growthFactor_ = 2, backoffFactor_ = 0.5;
  int64_t growthInterval_ = 2000, growthTracker_ = 0;
};

}  // namespace ldm
