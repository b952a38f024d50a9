// Transformer parts: ldm.modules.attention (GEGLU, FeedForward, CrossAttention, BasicTransformerBlock).
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>

#include "layers.h"

namespace ldm {

/// Gated linear unit with GELU (Shazeer 2020): a * gelu(b), with [a, b] one linear map of x.
class GEGLU : public Layer {
 public:
  GEGLU(int64_t dimIn, int64_t dimOut);
  at::Tensor forward(const at::Tensor& x) override;

 private:
  std::shared_ptr<Linear> proj_;
};

struct FeedForwardOptions {
  std::optional<int64_t> dimOut;  ///< default: dim
  double mult = 4;                ///< inner width is int(dim * mult)
  bool glu = false;               ///< GEGLU instead of a linear map and GELU
  double dropout = 0;
};

/// The position-wise network of a transformer block. Where no gradients are needed, tokens go through it in parts, so
/// that what lies between its two linear maps stays in the caches.
class FeedForward : public Layer {
 public:
  FeedForward(int64_t dim, const FeedForwardOptions& options);
  explicit FeedForward(const Value& params);
  at::Tensor forward(const at::Tensor& x) override;

 private:
  int64_t inner_;
  std::shared_ptr<Sequential> net_;
};

struct AttentionOptions {
  std::optional<int64_t> contextDim;  ///< width of the context; default: the queries' (self-attention)
  int64_t heads = 8;
  int64_t dimHead = 64;
  double dropout = 0;
};

/// Multi-head attention of x to a context, or to x itself when there is none.
///
/// Methods: `forward` {x, context?, mask?} -> {y}.
class CrossAttention : public Module {
 public:
  CrossAttention(int64_t queryDim, const AttentionOptions& options);
  explicit CrossAttention(const Value& params);

  /// @param x [b, n, query_dim]
  /// @param context [b, m, context_dim] or undefined
  /// @param mask bool [b, m...], flattened: false hides a context token; or undefined
  /// @return [b, n, query_dim]
  at::Tensor forward(const at::Tensor& x, const at::Tensor& context = {}, const at::Tensor& mask = {});

 private:
  int64_t heads_, contextDim_;
  double scale_;
  std::shared_ptr<Linear> toQ_, toK_, toV_;
  std::shared_ptr<Sequential> toOut_;
};

struct TransformerOptions {
  int64_t heads = 8;
  int64_t dimHead = 64;
  double dropout = 0;
  std::optional<int64_t> contextDim;  ///< default: the second attention attends to x as well
  bool gatedFeedForward = true;
  bool checkpoint = false;            ///< recompute in the backward pass instead of keeping activations
  bool disableSelfAttention = false;  ///< both attentions attend to the context (Stable Diffusion 2)
};

/// Self-attention, cross-attention and a feed-forward network, each on a layer norm and with a residual connection.
///
/// Methods: `forward` {x, context?} -> {y}.
class BasicTransformerBlock : public Module {
 public:
  BasicTransformerBlock(int64_t dim, const TransformerOptions& options);
  explicit BasicTransformerBlock(const Value& params);

  /// @param x [b, n, dim]
  /// @param context [b, m, context_dim] or undefined
  at::Tensor forward(const at::Tensor& x, const at::Tensor& context);

 private:
  at::Tensor compute(const at::Tensor& x, const at::Tensor& context);

  bool checkpoint_, selfAttention_;
  std::shared_ptr<CrossAttention> attn1_, attn2_;
  std::shared_ptr<FeedForward> ff_;
  std::shared_ptr<LayerNorm> norm1_, norm2_, norm3_;
};

}  // namespace ldm
