// A stack of transformer layers, after ldm/modules/x_transformer.py. Departure: macaron, which ends in an error there,
// works as it was meant.
#include "attention_layers.h"

#include <ATen/ATen.h>

#include "../core/registry.h"

namespace ldm {

namespace {

std::string repeated(const std::string& block, int64_t times) {
  std::string out;
  for (int64_t i = 0; i < times; i++) out += block;
  return out;
}

/// Pay Attention when Required (Mandava et al. 2020): attention in the first two thirds only.
std::string parLayers(std::string block, int64_t depth, int64_t ratio) {
  const int64_t parDepth = depth * static_cast<int64_t>(block.size());
  if (ratio <= 1 || ratio > parDepth)
    invalid("'par_ratio' is " + std::to_string(ratio) + "; expected 2 to " + std::to_string(parDepth));
  std::erase(block, 'f');
  const int64_t attentions = parDepth / ratio;
  const int64_t cut = parDepth * 2 / 3;
  const int64_t width = (cut + cut / attentions) / attentions;
  const auto own = static_cast<int64_t>(block.size());
  if (own > width) invalid("'par_ratio' is too small for the layers of one block");
  const std::string head = repeated(block + repeated("f", width - own), attentions);
  return head + repeated("f", parDepth - static_cast<int64_t>(head.size()));
}

std::string layerTypes(const Value& params) {
  const int64_t depth = params.integer("depth");
  std::string block = "af";
  if (params.boolean("cross_attend")) block = params.boolean("only_cross") ? "cf" : "acf";
  if (params.boolean("macaron")) block = "f" + block;
  if (params.has("custom_layers")) {
    std::string types;
    for (const Value& type : params.get("custom_layers").asList("custom_layers")) types += type.asString();
    return types;
  }
  if (params.has("par_ratio")) return parLayers(block, depth, params.integer("par_ratio"));
  if (params.has("sandwich_coef")) {
    const int64_t coefficient = params.integer("sandwich_coef");
    if (coefficient < 1 || coefficient > depth)
      invalid("'sandwich_coef' is " + std::to_string(coefficient) + "; expected 1 to the depth of " +
              std::to_string(depth));
    return repeated("a", coefficient) + repeated(block, depth - coefficient) + repeated("f", coefficient);
  }
  return repeated(block, depth);
}

std::shared_ptr<Layer> makeNorm(const AttentionLayersOptions& options) {
  if (options.useRezero) return std::make_shared<Identity>();
  if (options.useRmsNorm) return std::make_shared<RootMeanSquareNorm>(options.dim, options.dim, 1e-8);
  if (options.useScaleNorm) return std::make_shared<RootMeanSquareNorm>(options.dim, 1, 1e-5);
  return std::make_shared<LayerNorm>(options.dim);
}

}  // namespace

AttentionLayersOptions AttentionLayersOptions::from(const Value& params) {
  return {.dim = params.integer("dim"),
          .layerTypes = ldm::layerTypes(params),
          .attention = XAttentionOptions::from(params),
          .feedForward = {.dimOut = {},
                          .mult = params.number("ff_mult"),
                          .glu = params.boolean("ff_glu"),
                          .dropout = params.number("ff_dropout")},
          .useScaleNorm = params.boolean("use_scalenorm"),
          .useRmsNorm = params.boolean("use_rmsnorm"),
          .useRezero = params.boolean("use_rezero"),
          .positionInfusedAttn = params.boolean("position_infused_attn"),
          .residualAttn = params.boolean("residual_attn"),
          .crossResidualAttn = params.boolean("cross_residual_attn"),
          .macaron = params.boolean("macaron"),
          .preNorm = params.boolean("pre_norm"),
          .gateResidual = params.boolean("gate_residual")};
}

AttentionLayersOptions AttentionLayersOptions::plain(int64_t dim, int64_t depth) {
  return {.dim = dim, .layerTypes = repeated("af", depth)};
}

AttentionLayers::Item::Item(const AttentionLayersOptions& options, char type) {
  // Created in this order, registered in the order of the list.
  if (type == 'f') {
    feedForward = std::make_shared<FeedForward>(options.dim, options.feedForward);
    if (options.macaron) feedForward = std::make_shared<Scale>(0.5, feedForward);
  } else {
    XAttentionOptions own = options.attention;
    own.causal = own.causal && type == 'a';
    attention = std::make_shared<XAttention>(options.dim, own);
    if (options.useRezero) attention = std::make_shared<Rezero>(attention);
  }
  residual = options.gateResidual ? std::make_shared<GRUGating>(options.dim) : std::make_shared<Residual>();
  norm = child("0", makeNorm(options));
  child("1", attention);
  child("1", feedForward);
  child("2", residual);
}

AttentionLayers::AttentionLayers(const AttentionLayersOptions& options) : options_(options) {
  layers_ = child("layers", std::make_shared<ModuleList<Item>>());
  if (options.positionInfusedAttn)
    positions_ = child("pia_pos_emb", std::make_shared<FixedPositionalEmbedding>(options.dim));
  for (char type : options.layerTypes) layers_->append(std::make_shared<Item>(options, type));
}

AttentionLayers::AttentionLayers(const Value& params)
    : AttentionLayers([&params] {
        auto options = AttentionLayersOptions::from(params);
        options.attention.causal = params.boolean("causal");
        return options;
      }()) {}

AttentionLayersResult AttentionLayers::forward(at::Tensor x, const AttentionLayersInputs& inputs) {
  AttentionLayersResult result;
  at::Tensor scores, crossScores;
  for (size_t i = 0; i < layers_->size(); i++) {
    poll();
    Item& item = (*layers_)[i];
    const bool isSelf = options_.layerTypes[i] == 'a';
    const at::Tensor residual = x;
    XAttentionInputs own{.mask = inputs.mask, .keepWeights = inputs.keepWeights};
    if (isSelf) {
      const size_t index = result.hiddens.size();
      if (!inputs.memories.empty()) {
        if (index >= inputs.memories.size()) invalid("There are fewer memories than self-attention layers");
        own.memory = inputs.memories[index];
      }
      result.hiddens.push_back(x);
      own.previousScores = scores;
      own.positions = positions_.get();
      own.keepScores = options_.residualAttn;
    } else if (item.attention) {
      if (!inputs.context.defined()) invalid("Cross-attention needs a context [batch, tokens, dim]");
      own.context = inputs.context;
      own.contextMask = inputs.contextMask;
      own.previousScores = crossScores;
      own.keepScores = options_.crossResidualAttn;
    }
    if (options_.preNorm) x = item.norm->forward(x);
    if (item.attention) {
      const XAttentionResult attended = item.attention->forward(x, own);
      if (own.keepScores) (isSelf ? scores : crossScores) = attended.scores;
      if (inputs.keepWeights) result.weights.push_back(attended.weights);
      x = item.residual->forward(attended.out, residual);
    } else {
      x = item.residual->forward(item.feedForward->forward(x), residual);
    }
    if (!options_.preNorm && i + 1 < layers_->size()) x = item.norm->forward(x);
  }
  result.x = x;
  return result;
}

XEncoder::XEncoder(const Value& params) : AttentionLayers(AttentionLayersOptions::from(params)) {}

REGISTER("ldm.modules.x_transformer.AttentionLayers", AttentionLayers);
REGISTER("ldm.modules.x_transformer.Encoder", XEncoder);

}  // namespace ldm
