// An exponential moving average of a model's parameters: ldm.modules.ema.LitEma.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "../core/module.h"

namespace ldm {

using NamedParameters = std::vector<std::pair<std::string, at::Tensor>>;

/// Shadow copies of all trainable parameters of a model, as buffers in the model tree. A shadow's name is the
/// parameter's name without its dots ("model_ema.diffusion_modelout2weight" in official checkpoints).
///
/// Buffers besides: `decay` (float32) and `num_updates` (int32; -1 switches the warm-up off). While warming up the
/// decay is min(decay, (1 + n) / (10 + n)) in the n-th update.
///
/// Methods, each with {model: module} or {parameters: {name: tensor}}: update, copyTo, store, restore.
class LitEma : public Module {
 public:
  /// @param decay in [0, 1]
  LitEma(const NamedParameters& parameters, double decay, bool useNumUpdates);
  /// From {model | parameters, decay, use_num_upates} (the reference's spelling).
  explicit LitEma(const Value& params);

  /// Moves every shadow towards its parameter.
  void update(const NamedParameters& parameters);
  /// Writes the shadows into the parameters.
  void copyTo(const NamedParameters& parameters) const;
  /// Makes every shadow equal to its parameter and forgets all updates, as if the averages began now.
  void reset(const NamedParameters& parameters);
  /// Begins the warm-up of the decay anew; the averages stay.
  void resetNumUpdates();
  /// Keeps a copy of the parameters, for `restore`.
  void store(const NamedParameters& parameters);
  /// Writes what `store` kept back into the parameters and forgets it.
  void restore(const NamedParameters& parameters);

  /// Puts the averaged weights in the place of the trained ones until `exit` is called as often; see EmaScope.
  void enter(const NamedParameters& parameters);
  void exit(const NamedParameters& parameters);
  /// Throws ERR_INVALID_ARGUMENT while the averaged weights are in use: training would be lost.
  void requireOut() const;

 private:
  std::vector<at::Tensor> trainable(const NamedParameters& parameters) const;

  /// How often the two tensors below were written to.
  int64_t writes() const;

  at::Tensor decay_, numUpdates_;
  struct Known {
    float decay;
    int updates;
    int64_t writes = -1;  ///< when these were the values
  } known_{};
  std::vector<std::string> names_;  ///< of the trainable parameters, with dots
  std::vector<at::Tensor> shadows_;
  std::vector<at::Tensor> stored_;
  int64_t depth_ = 0;
};

/// The averaged weights for the length of a scope; does nothing without an average.
class EmaScope {
 public:
  EmaScope(LitEma* ema, NamedParameters parameters) : ema_(ema), parameters_(std::move(parameters)) {
    if (ema_) ema_->enter(parameters_);
  }
  ~EmaScope() {
    if (ema_) ema_->exit(parameters_);
  }
  EmaScope(const EmaScope&) = delete;

 private:
  LitEma* ema_;
  NamedParameters parameters_;
};

}  // namespace ldm
