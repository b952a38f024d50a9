// CLIPTextModel, after transformers/models/clip/modeling_clip.py (Apache-2.0). Departure: attention runs on the fused
// kernel.
#include "clip_text_model.h"

#include <ATen/ATen.h>

#include <cmath>

#include "../core/random.h"

namespace ldm {

ClipTextOptions ClipTextOptions::from(const Value& config) {
  return {.vocabSize = config.integer("vocab_size"),
          .hiddenSize = config.integer("hidden_size"),
          .intermediateSize = config.integer("intermediate_size"),
          .numHiddenLayers = config.integer("num_hidden_layers"),
          .numAttentionHeads = config.integer("num_attention_heads"),
          .maxPositionEmbeddings = config.integer("max_position_embeddings"),
          .hiddenAct = parseClipActivation(config.string("hidden_act")),
          .layerNormEps = config.number("layer_norm_eps")};
}

ClipTextModel::Attention::Attention(int64_t width) {
  k = child("k_proj", std::make_shared<Linear>(width, width));
  v = child("v_proj", std::make_shared<Linear>(width, width));
  q = child("q_proj", std::make_shared<Linear>(width, width));
  out = child("out_proj", std::make_shared<Linear>(width, width));
}

ClipTextModel::Mlp::Mlp(int64_t width, int64_t inner) {
  fc1 = child("fc1", std::make_shared<Linear>(width, inner));
  fc2 = child("fc2", std::make_shared<Linear>(inner, width));
}

ClipTextModel::Block::Block(const ClipTextOptions& options) {
  attention = child("self_attn", std::make_shared<Attention>(options.hiddenSize));
  norm1 = child("layer_norm1", std::make_shared<LayerNorm>(options.hiddenSize, options.layerNormEps));
  mlp = child("mlp", std::make_shared<Mlp>(options.hiddenSize, options.intermediateSize));
  norm2 = child("layer_norm2", std::make_shared<LayerNorm>(options.hiddenSize, options.layerNormEps));
}

ClipTextModel::Embeddings::Embeddings(const ClipTextOptions& options) {
  buffer("position_ids", at::arange(options.maxPositionEmbeddings, at::kLong).unsqueeze(0));
  token = child("token_embedding", std::make_shared<Embedding>(options.vocabSize, options.hiddenSize));
  position =
      child("position_embedding", std::make_shared<Embedding>(options.maxPositionEmbeddings, options.hiddenSize));
}

ClipTextModel::Encoder::Encoder(const ClipTextOptions& options) {
  layers = child("layers", std::make_shared<ModuleList<Block>>());
  for (int64_t i = 0; i < options.numHiddenLayers; i++) layers->append(std::make_shared<Block>(options));
}

ClipTextModel::TextModel::TextModel(const ClipTextOptions& options) {
  embeddings = child("embeddings", std::make_shared<Embeddings>(options));
  encoder = child("encoder", std::make_shared<Encoder>(options));
  finalLayerNorm = child("final_layer_norm", std::make_shared<LayerNorm>(options.hiddenSize, options.layerNormEps));
}

ClipTextModel::ClipTextModel(const ClipTextOptions& options) : options_(options) {
  checkClipHeads(options.hiddenSize, options.numAttentionHeads);
  text_ = child("text_model", std::make_shared<TextModel>(options));
  initialize();
}

void ClipTextModel::initialize() {
  const auto inverseRoot = [](int64_t n) { return std::pow(static_cast<double>(n), -0.5); };
  const double width = inverseRoot(options_.hiddenSize);
  const double depth = inverseRoot(2 * options_.numHiddenLayers);
  initNormal(text_->embeddings->token->weight, 0, 0.02);
  initNormal(text_->embeddings->position->weight, 0, 0.02);
  for (const auto& block : *text_->encoder->layers) {
    for (Linear* linear : {block->attention->q.get(), block->attention->k.get(), block->attention->v.get()})
      initNormal(linear->weight, 0, width * depth);
    initNormal(block->attention->out->weight, 0, width);
    initNormal(block->mlp->fc1->weight, 0, inverseRoot(2 * options_.hiddenSize));
    initNormal(block->mlp->fc2->weight, 0, width * depth);
    for (Linear* linear : {block->attention->q.get(), block->attention->k.get(), block->attention->v.get(),
                           block->attention->out.get(), block->mlp->fc1.get(), block->mlp->fc2.get()})
      initConstant(linear->bias, 0);
  }
}

ClipTextOutput ClipTextModel::forward(const at::Tensor& tokens, bool keepHiddenStates) {
  if (tokens.dim() != 2 || tokens.size(1) > options_.maxPositionEmbeddings || tokens.is_floating_point())
    invalid("Expected token ids, integers of shape [n, at most " + std::to_string(options_.maxPositionEmbeddings) +
            "], but received " + Value(tokens).describe());
  ClipTextOutput out;
  at::Tensor x =
      text_->embeddings->token->forward(tokens) + text_->embeddings->position->weight.slice(0, 0, tokens.size(1));
  if (keepHiddenStates) out.hiddenStates.push_back(x);
  for (const auto& block : *text_->encoder->layers) {
    poll();
    const at::Tensor h = block->norm1->forward(x);
    Attention& attention = *block->attention;
    x = x + attention.out->forward(clipAttention(attention.q->forward(h), attention.k->forward(h),
                                                 attention.v->forward(h), options_.numAttentionHeads,
                                                 /*causal=*/true));
    const at::Tensor inner = block->mlp->fc1->forward(block->norm2->forward(x));
    x = x + block->mlp->fc2->forward(clipActivation(inner, options_.hiddenAct));
    if (keepHiddenStates) out.hiddenStates.push_back(x);
  }
  out.lastHiddenState = text_->finalLayerNorm->forward(x);
  out.pooled = clipEndOfText(out.lastHiddenState, tokens);
  return out;
}

}  // namespace ldm
