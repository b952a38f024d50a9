// CLIP, after OpenAI's clip/model.py. Departures: attention runs on the fused kernel; the models with a residual
// network for images (RN50 and its like) are not here.
#include "clip.h"

#include <ATen/ATen.h>

#include <cmath>
#include <utility>
#include <vector>

#include "../core/random.h"
#include "../core/registry.h"

namespace ldm {

namespace {

double inverseRoot(int64_t n) { return std::pow(static_cast<double>(n), -0.5); }

at::Tensor scaledNoise(at::IntArrayRef shape, double scale) {
  return ldm::randn(shape, at::TensorOptions(at::kFloat)) * scale;
}

/// Published models: name, and sizes in the order of ClipOptions.
const std::vector<std::pair<std::string, ClipOptions>>& published() {
  static const std::vector<std::pair<std::string, ClipOptions>> models{
      {"ViT-B/32", {512, 224, 12, 768, 32, 77, 49408, 512, 8, 12}},
      {"ViT-B/16", {512, 224, 12, 768, 16, 77, 49408, 512, 8, 12}},
      {"ViT-L/14", {768, 224, 24, 1024, 14, 77, 49408, 768, 12, 12}},
      {"ViT-L/14@336px", {768, 336, 24, 1024, 14, 77, 49408, 768, 12, 12}},
  };
  return models;
}

}  // namespace

ClipOptions ClipOptions::from(const Value& version) {
  if (version.isString()) {
    for (const auto& [name, options] : published())
      if (name == version.asString()) return options;
    std::string known;
    for (const auto& [name, options] : published()) known += (known.empty() ? "" : ", ") + name;
    invalid("There is no CLIP model '" + version.asString() + "'; known: " + known);
  }
  return {.embedDim = version.integer("embed_dim"),
          .imageResolution = version.integer("image_resolution"),
          .visionLayers = version.integer("vision_layers"),
          .visionWidth = version.integer("vision_width"),
          .visionPatchSize = version.integer("vision_patch_size"),
          .contextLength = version.integer("context_length"),
          .vocabSize = version.integer("vocab_size"),
          .transformerWidth = version.integer("transformer_width"),
          .transformerHeads = version.integer("transformer_heads"),
          .transformerLayers = version.integer("transformer_layers")};
}

ClipTransformer::Attention::Attention(int64_t width, int64_t heads, bool causal) : heads_(heads), causal_(causal) {
  checkClipHeads(width, heads);
  inProjWeight = largeWeight("in_proj_weight", at::empty({3 * width, width}));
  inProjBias = parameter("in_proj_bias", at::zeros({3 * width}));
  outProj = child("out_proj", std::make_shared<Linear>(width, width));
  const double bound = std::sqrt(6.0 / static_cast<double>(4 * width));
  initUniform(inProjWeight, -bound, bound);
  initConstant(outProj->bias, 0);
}

at::Tensor ClipTransformer::Attention::forward(const at::Tensor& x) {
  const auto all = at::linear(x, widened(inProjWeight, x), inProjBias).chunk(3, -1);
  return outProj->forward(clipAttention(all[0], all[1], all[2], heads_, causal_));
}

ClipTransformer::Mlp::Mlp(int64_t width) {
  fc = child("c_fc", std::make_shared<Linear>(width, 4 * width));
  proj = child("c_proj", std::make_shared<Linear>(4 * width, width));
}

ClipTransformer::Block::Block(const ClipTransformerOptions& options) {
  // Created in the order in which both libraries draw; the order of the names is the library's.
  attn = std::make_shared<Attention>(options.width, options.heads, options.causal);
  ln1 = std::make_shared<LayerNorm>(options.width);
  mlp = std::make_shared<Mlp>(options.width);
  ln2 = std::make_shared<LayerNorm>(options.width);
  if (options.normsFirst) child("ln_1", ln1);
  child("attn", attn);
  if (!options.normsFirst) {
    child("ln_1", ln1);
    child("mlp", mlp);
  }
  child("ln_2", ln2);
  if (options.normsFirst) child("mlp", mlp);
}

ClipTransformer::ClipTransformer(const ClipTransformerOptions& options)
    : width_(options.width), activation_(options.activation) {
  blocks_ = child("resblocks", std::make_shared<ModuleList<Block>>());
  for (int64_t i = 0; i < options.layers; i++) blocks_->append(std::make_shared<Block>(options));
}

at::Tensor ClipTransformer::forward(at::Tensor x, int64_t skip) {
  const auto depth = static_cast<int64_t>(blocks_->size()) - skip;
  for (int64_t i = 0; i < depth; i++) {
    poll();
    Block& block = (*blocks_)[static_cast<size_t>(i)];
    x = x + block.attn->forward(block.ln1->forward(x));
    x = x + block.mlp->proj->forward(clipActivation(block.mlp->fc->forward(block.ln2->forward(x)), activation_));
  }
  return x;
}

void ClipTransformer::initialize() {
  const double attentionStd = inverseRoot(width_);
  const double projStd = attentionStd * inverseRoot(2 * static_cast<int64_t>(blocks_->size()));
  for (const auto& block : *blocks_) {
    initNormal(block->attn->inProjWeight, 0, attentionStd);
    initNormal(block->attn->outProj->weight, 0, projStd);
    initNormal(block->mlp->fc->weight, 0, inverseRoot(2 * width_));
    initNormal(block->mlp->proj->weight, 0, projStd);
  }
}

ClipVision::ClipVision(const ClipOptions& options) : resolution_(options.imageResolution) {
  const int64_t width = options.visionWidth;
  const int64_t patch = options.visionPatchSize;
  const int64_t side = resolution_ / patch;
  const double scale = inverseRoot(width);
  conv1_ = child("conv1", std::make_shared<Conv>(3, width, patch, ConvOptions{.stride = patch, .bias = false}));
  classEmbedding_ = parameter("class_embedding", scaledNoise({width}, scale));
  positionalEmbedding_ = parameter("positional_embedding", scaledNoise({side * side + 1, width}, scale));
  lnPre_ = child("ln_pre", std::make_shared<LayerNorm>(width));
  transformer_ = child("transformer", std::make_shared<ClipTransformer>(ClipTransformerOptions{
                                          width, options.visionLayers, width / 64, /*causal=*/false}));
  lnPost_ = child("ln_post", std::make_shared<LayerNorm>(width));
  proj_ = parameter("proj", scaledNoise({width, options.embedDim}, scale));
}

at::Tensor ClipVision::forward(const at::Tensor& image) {
  if (image.dim() != 4 || image.size(1) != 3 || image.size(2) != resolution_ || image.size(3) != resolution_)
    invalid("Expected images of shape [n, 3, " + std::to_string(resolution_) + ", " + std::to_string(resolution_) +
            "], but received " + Value(image).describe());
  const at::Tensor patches = conv1_->forward(image).flatten(2).transpose(1, 2);
  const at::Tensor classToken = classEmbedding_.expand({image.size(0), 1, -1});
  const at::Tensor x = at::cat({classToken.to(patches.scalar_type()), patches}, 1) + positionalEmbedding_;
  const at::Tensor y = transformer_->forward(lnPre_->forward(x));
  return at::matmul(lnPost_->forward(y.select(1, 0)), proj_);
}

Clip::Clip(const ClipOptions& options) : contextLength_(options.contextLength) {
  const int64_t width = options.transformerWidth;
  visual_ = child("visual", std::make_shared<ClipVision>(options));
  transformer_ =
      child("transformer", std::make_shared<ClipTransformer>(ClipTransformerOptions{
                               width, options.transformerLayers, options.transformerHeads, /*causal=*/true}));
  tokenEmbedding_ = child("token_embedding", std::make_shared<Embedding>(options.vocabSize, width));
  positionalEmbedding_ = parameter("positional_embedding", at::empty({contextLength_, width}));
  lnFinal_ = child("ln_final", std::make_shared<LayerNorm>(width));
  textProjection_ = parameter("text_projection", at::empty({width, options.embedDim}));
  // The temperature of CLIP's own training; nothing here reads it.
  parameter("logit_scale", at::full({}, std::log(1 / 0.07), at::TensorOptions(at::kFloat)));
  initNormal(tokenEmbedding_->weight, 0, 0.02);
  initNormal(positionalEmbedding_, 0, 0.01);
  transformer_->initialize();
  initNormal(textProjection_, 0, inverseRoot(width));
  method("encodeText", [this](const Value& args) -> Value { return Map{{"y", encodeText(args.tensor("tokens"))}}; });
  method("encodeImage", [this](const Value& args) -> Value { return Map{{"y", encodeImage(args.tensor("image"))}}; });
}

at::Tensor Clip::encodeText(const at::Tensor& tokens) {
  checkClipTokens(tokens, contextLength_);
  const at::Tensor x = tokenEmbedding_->forward(tokens) + positionalEmbedding_;
  const at::Tensor y = lnFinal_->forward(transformer_->forward(x));
  return at::matmul(clipEndOfText(y, tokens), textProjection_);
}

REGISTER("clip.model.CLIP", Clip);

}  // namespace ldm
