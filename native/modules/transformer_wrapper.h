// Tokens through a transformer: ldm.modules.x_transformer.TransformerWrapper.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>

#include "attention_layers.h"

namespace ldm {

struct TransformerWrapperOptions {
  int64_t numTokens;
  int64_t maxSeqLen;
  std::optional<int64_t> embDim{};  ///< width of the embeddings; default: the layers'
  int64_t maxMemLen = 0;            ///< tokens of the hidden states that `returnMems` gives
  double embDropout = 0;
  int64_t numMemoryTokens = 0;  ///< learned tokens before the sequence (Burtsev et al. 2020), left out of the result
  bool tieEmbedding = false;    ///< logits through the embedding's own weights
  bool usePosEmb = true;
};

/// Embedding of tokens and positions, layers, a final norm and, unless embeddings are asked for, logits over the
/// tokens.
///
/// Methods: `forward` {tokens, returnEmbeddings, returnMems, returnAttn, mask?, context?, contextMask?, mems?}
/// -> {out, mems?, attn?}.
class TransformerWrapper : public Module {
 public:
  TransformerWrapper(const TransformerWrapperOptions& options, std::shared_ptr<AttentionLayers> layers);
  explicit TransformerWrapper(const Value& params);

  /// @param tokens int64 [b, n]
  /// @return [b, n, dim]
  at::Tensor embeddings(const at::Tensor& tokens) { return run(tokens, {}).x; }

 private:
  /// `x` of the result is normed and without memory tokens.
  AttentionLayersResult run(const at::Tensor& tokens, AttentionLayersInputs inputs);
  Value forward(const Value& args);
  at::Tensor logits(const at::Tensor& x);

  TransformerWrapperOptions options_;
  at::Tensor memoryTokens_;
  std::shared_ptr<Embedding> tokenEmb_;
  std::shared_ptr<AbsolutePositionalEmbedding> posEmb_;  ///< null without positions of this kind
  std::shared_ptr<Layer> projectEmb_;
  std::shared_ptr<AttentionLayers> layers_;
  std::shared_ptr<LayerNorm> norm_;
  std::shared_ptr<Linear> toLogits_;  ///< null with tied embeddings
};

}  // namespace ldm
