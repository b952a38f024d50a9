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
  /// Keeps a copy of the parameters, for `restore`.
  void store(const NamedParameters& parameters);
  /// Writes what `store` kept back into the parameters and forgets it.
  void restore(const NamedParameters& parameters);

 private:
  std::vector<at::Tensor> trainable(const NamedParameters& parameters) const;

  at::Tensor decay_, numUpdates_;
  std::vector<std::string> names_;  ///< of the trainable parameters, with dots
  std::vector<at::Tensor> shadows_;
  std::vector<at::Tensor> stored_;
};

}  // namespace ldm
