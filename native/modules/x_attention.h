// Attention of the x-transformers encoder: ldm.modules.x_transformer.Attention.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>

#include "layers.h"
#include "x_transformer_parts.h"

namespace ldm {

struct XAttentionOptions {
  int64_t heads = 8;
  int64_t dimHead = 64;
  bool causal = false;                  ///< no token sees a later one
  bool talkingHeads = false;            ///< learned mixing of heads around the softmax (Shazeer et al. 2020)
  std::optional<int64_t> sparseTopk{};  ///< only the largest weights of a row count (Zhao et al. 2019)
  int64_t numMemKv = 0;                 ///< learned keys and values besides the sequence's (Sukhbaatar et al. 2019)
  double dropout = 0;
  bool onAttn = false;  ///< the output gates itself (Huang et al. 2019)

  /// From an encoder's options, where their names begin with "attn_".
  static XAttentionOptions from(const Value& params);
};

/// What attention may look at besides its input; any tensor may be undefined.
struct XAttentionInputs {
  at::Tensor context{};         ///< [b, m, dim]: keys and values come from here
  at::Tensor mask{};            ///< bool [b, n], false hides a token
  at::Tensor contextMask{};     ///< bool [b, m]
  at::Tensor previousScores{};  ///< [b, heads, n, m], added before the softmax (He et al. 2020)
  at::Tensor memory{};          ///< [b, k, dim]: hidden states of an earlier segment, before the sequence
  const FixedPositionalEmbedding* positions = nullptr;  ///< added to queries and keys only
  bool keepScores = false;
  bool keepWeights = false;
};

struct XAttentionResult {
  at::Tensor out;      ///< [b, n, dim]
  at::Tensor scores;   ///< [b, heads, n, m] before the softmax, with keepScores
  at::Tensor weights;  ///< [b, heads, n, m] after it, with keepWeights
};

/// What stands as an attention layer: the attention itself, or one that a factor scales.
class AttentionBranch : public Module {
 public:
  virtual XAttentionResult forward(const at::Tensor& x, const XAttentionInputs& inputs) = 0;
};

/// Multi-head attention with the options of x-transformers. Without them it runs on the fused kernel.
class XAttention : public AttentionBranch {
 public:
  XAttention(int64_t dim, const XAttentionOptions& options);
  /// @param x [b, n, dim]
  XAttentionResult forward(const at::Tensor& x, const XAttentionInputs& inputs) override;

 private:
  bool isPlain(const XAttentionInputs& inputs) const;
  /// Which keys a query sees, bool [b, 1, n, m], or undefined.
  at::Tensor visible(const at::Tensor& x, const XAttentionInputs& inputs, int64_t keys) const;
  void hide(at::Tensor& scores, const at::Tensor& visible) const;

  XAttentionOptions options_;
  double scale_;
  std::shared_ptr<Linear> toQ_, toK_, toV_;
  at::Tensor preSoftmaxProj_, postSoftmaxProj_, memK_, memV_;
  std::shared_ptr<Layer> toOut_;
};

/// Attention times a learned factor that begins with zero (ReZero, Bachlechner et al. 2020).
class Rezero : public AttentionBranch {
 public:
  explicit Rezero(std::shared_ptr<AttentionBranch> fn);
  XAttentionResult forward(const at::Tensor& x, const XAttentionInputs& inputs) override;

 private:
  at::Tensor g_;
  std::shared_ptr<AttentionBranch> fn_;
};

}  // namespace ldm
