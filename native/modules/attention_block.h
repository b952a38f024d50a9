// Self-attention of the U-Net: AttentionBlock and AttentionPool2d of ldm.modules.diffusionmodules.openaimodel.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "layers.h"

namespace ldm::unet {

/// How the 3 * heads * d channels of a joint q, k, v projection are laid out.
enum class QkvOrder {
  HeadsFirst,  ///< (heads, 3, d): QKVAttentionLegacy, what all official models use
  QkvFirst,    ///< (3, heads, d): QKVAttention, `use_new_attention_order`
};

/// Attention from a joint projection. The reference scales q and k by d^-1/4 each; their product has the scale d^-1/2.
/// @param qkv [b, n, 3 * heads * d]
/// @return [b, n, heads * d]
at::Tensor qkvAttention(const at::Tensor& qkv, int64_t heads, QkvOrder order);

/// Attention of each position to all others, for any number of spatial dimensions, with a residual connection.
class AttentionBlock : public Layer {
 public:
  /// @param numHeadChannels -1: use numHeads; else the number of heads is channels / numHeadChannels
  /// @param checkpoint recompute in the backward pass. The reference always does; without dropout inside, the gradients
  ///   are the same, so here the option decides.
  AttentionBlock(int64_t channels, int64_t numHeads, int64_t numHeadChannels, bool checkpoint, QkvOrder order);
  explicit AttentionBlock(const Value& params);

  /// @param x [b, channels, ...]
  at::Tensor forward(const at::Tensor& x) override;

 private:
  at::Tensor compute(const at::Tensor& x);

  int64_t heads_;
  bool checkpoint_;
  QkvOrder order_;
  std::shared_ptr<GroupNorm> norm_;
  std::shared_ptr<Conv> qkv_, projOut_;  ///< rank 3 in checkpoints; computed as linear maps of [b, n, channels]
};

/// Attention pooling (CLIP's image encoder): one output vector, from a query that is the mean of all positions.
class AttentionPool2d : public Layer {
 public:
  AttentionPool2d(int64_t spatialDim, int64_t embedDim, int64_t numHeadChannels, int64_t outputDim);
  explicit AttentionPool2d(const Value& params);

  /// @param x [b, embed_dim, spatial_dim, spatial_dim]
  /// @return [b, output_dim]
  at::Tensor forward(const at::Tensor& x) override;

 private:
  int64_t heads_;
  at::Tensor positionalEmbedding_;
  std::shared_ptr<Conv> qkvProj_, cProj_;
};

}  // namespace ldm::unet
