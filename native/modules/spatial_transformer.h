// ldm.modules.attention.SpatialTransformer.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "attention.h"
#include "layers.h"

namespace ldm {

/// Transformer blocks over the positions of an image, between two 1x1 convolutions, with a residual connection
/// (Rombach et al. 2022, section 3.3).
///
/// Methods: `forward` {x, context?} -> {y}.
class SpatialTransformer : public Module {
 public:
  /// The blocks are heads * dimHead wide.
  SpatialTransformer(int64_t inChannels, int64_t depth, const TransformerOptions& options);
  explicit SpatialTransformer(const Value& params);

  /// @param x [b, in_channels, h, w]
  /// @param context [b, tokens, context_dim] or undefined
  at::Tensor forward(const at::Tensor& x, const at::Tensor& context);

 private:
  std::shared_ptr<GroupNorm> norm_;
  std::shared_ptr<Conv> projIn_, projOut_;
  std::shared_ptr<ModuleList<BasicTransformerBlock>> blocks_;
};

}  // namespace ldm
