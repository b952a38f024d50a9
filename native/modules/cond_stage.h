// What LatentDiffusion asks of a conditioning stage (ldm.modules.encoders.modules.AbstractEncoder).
#pragma once

#include <ATen/core/Tensor.h>

#include "layers.h"

namespace ldm {

/// A network that turns a condition (labels, token ids, an image) into what the U-Net is conditioned on.
///
/// Methods: `encode` {input} -> {c}.
class CondStage : public Module {
 public:
  CondStage() {
    method("encode", [this](const Value& args) -> Value { return Map{{"c", encode(args.get("input"))}}; });
  }
  /// @param input what LatentDiffusion.get_input hands over: a tensor, or a map of the batch's entries for stages that
  ///   pick theirs by name (ClassEmbedder)
  virtual at::Tensor encode(const Value& input) = 0;
};

/// Encodes with any module that may stand as a cond stage: a CondStage, or a plain Layer such as torch.nn.Identity.
at::Tensor encodeCondition(Module& stage, const Value& input);

}  // namespace ldm
