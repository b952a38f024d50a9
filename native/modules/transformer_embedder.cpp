#include "transformer_embedder.h"

#include <ATen/ATen.h>

#include "../core/registry.h"

namespace ldm {

TransformerEmbedder::TransformerEmbedder(const Value& params, double embDropout) {
  auto layers = std::make_shared<AttentionLayers>(
      AttentionLayersOptions::plain(params.integer("n_embed"), params.integer("n_layer")));
  transformer_ = child("transformer", std::make_shared<TransformerWrapper>(
                                          TransformerWrapperOptions{.numTokens = params.integer("vocab_size"),
                                                                    .maxSeqLen = params.integer("max_seq_len"),
                                                                    .embDropout = embDropout},
                                          std::move(layers)));
}

at::Tensor TransformerEmbedder::encode(const Value& input) {
  return transformer_->embeddings(input.asTensor("token ids"));
}

REGISTER("ldm.modules.encoders.modules.TransformerEmbedder", TransformerEmbedder);
REGISTER("ldm.modules.encoders.modules.BERTEmbedder", BERTEmbedder);

}  // namespace ldm
