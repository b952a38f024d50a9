// ldm.modules.attention.SpatialTransformer.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "attention.h"
#include "layers.h"

namespace ldm {

struct SpatialTransformerOptions {
  TransformerOptions block;  ///< its contextDim is that of every block, unless contextDims names others
  int64_t depth = 1;
  std::vector<int64_t> contextDims{};  ///< of each block
  bool useLinear = false;  ///< linear maps in place of the 1x1 convolutions: weights of rank 2 (Stable Diffusion 2)
};

/// Transformer blocks over the positions of an image, between two 1x1 convolutions, with a residual connection
/// (Rombach et al. 2022, section 3.3).
///
/// Methods: `forward` {x, context?} -> {y}.
class SpatialTransformer : public Module {
 public:
  /// The blocks are heads * dimHead wide.
  SpatialTransformer(int64_t inChannels, const SpatialTransformerOptions& options);
  explicit SpatialTransformer(const Value& params);

  /// @param x [b, in_channels, h, w]
  /// @param context [b, tokens, context_dim] or undefined
  at::Tensor forward(const at::Tensor& x, const at::Tensor& context);

 private:
  std::shared_ptr<GroupNorm> norm_;
  bool useLinear_;
  std::shared_ptr<Layer> projIn_, projOut_;
  std::shared_ptr<ModuleList<BasicTransformerBlock>> blocks_;
};

}  // namespace ldm
