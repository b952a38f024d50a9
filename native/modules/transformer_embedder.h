// Text and other token sequences as conditions: ldm.modules.encoders.modules.TransformerEmbedder and BERTEmbedder.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "cond_stage.h"
#include "transformer_wrapper.h"

namespace ldm {

/// Tokens through a transformer of 8 heads of 64, whatever its width. Padding is not masked: the models were trained
/// so.
///
/// Texts become tokens before they come here. `to_logits` is in the checkpoints and is not used.
class TransformerEmbedder : public CondStage {
 public:
  explicit TransformerEmbedder(const Value& params) : TransformerEmbedder(params, /*embDropout=*/0) {}

  /// @param input int64 token ids [b, n], n at most max_seq_len
  /// @return [b, n, n_embed]
  at::Tensor encode(const Value& input) override;

 protected:
  TransformerEmbedder(const Value& params, double embDropout);

 private:
  std::shared_ptr<TransformerWrapper> transformer_;
};

/// TransformerEmbedder with dropout of the embeddings; its tokens may be those of bert-base-uncased.
class BERTEmbedder : public TransformerEmbedder {
 public:
  explicit BERTEmbedder(const Value& params) : TransformerEmbedder(params, params.number("embedding_dropout")) {}
};

}  // namespace ldm
