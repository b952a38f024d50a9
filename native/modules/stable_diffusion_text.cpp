// After ldm/modules/encoders/modules.py of CompVis/stable-diffusion and Stability-AI/stablediffusion. Departure: the
// weights come with a checkpoint, nothing is downloaded.
#include "stable_diffusion_text.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdlib>

#include "../core/random.h"
#include "../core/registry.h"

namespace ldm {

FrozenCLIPEmbedder::FrozenCLIPEmbedder(const Value& params) {
  transformer_ = child("transformer", std::make_shared<ClipTextModel>(ClipTextOptions::from(params.get("version"))));
  const std::string layer = params.string("layer");
  if (layer != "last" && layer != "pooled" && layer != "hidden")
    invalid("unknown layer '" + layer + "': expected last, pooled or hidden");
  which_ = layer == "last" ? Which::Last : layer == "pooled" ? Which::Pooled : Which::Hidden;
  if (which_ == Which::Hidden) {
    layerIdx_ = params.integer("layer_idx");
    const int64_t states = transformer_->layers() + 1;
    if (layerIdx_ < -states || layerIdx_ >= states)
      invalid("'layer_idx' is " + std::to_string(layerIdx_) + ", but there are " + std::to_string(states) +
              " hidden states: the embeddings and one for each layer");
    if (layerIdx_ < 0) layerIdx_ += states;
  }
  if (!params.boolean("freeze")) return;
  transformer_->train(false);
  transformer_->requiresGrad(false);
}

at::Tensor FrozenCLIPEmbedder::encode(const Value& input) {
  const auto out = transformer_->forward(input.asTensor("token ids"), which_ == Which::Hidden);
  if (which_ == Which::Hidden) return out.hiddenStates[static_cast<size_t>(layerIdx_)];
  return which_ == Which::Last ? out.lastHiddenState : out.pooled.unsqueeze(1);
}

FrozenOpenCLIPEmbedder::Model::Model(const Value& arch) {
  const int64_t width = arch.integer("width");
  const auto activation = arch.boolean("quick_gelu") ? ClipActivation::QuickGelu : ClipActivation::Gelu;
  transformer = std::make_shared<ClipTransformer>(ClipTransformerOptions{.width = width,
                                                                         .layers = arch.integer("layers"),
                                                                         .heads = arch.integer("heads"),
                                                                         .causal = true,
                                                                         .activation = activation,
                                                                         .normsFirst = true});
  tokenEmbedding = std::make_shared<Embedding>(arch.integer("vocab_size"), width);
  positionalEmbedding = parameter("positional_embedding", at::empty({arch.integer("context_length"), width}));
  const auto projection = parameter("text_projection", at::empty({width, arch.integer("embed_dim")}));
  parameter("logit_scale", at::full({}, std::log(1 / 0.07), at::TensorOptions(at::kFloat)));
  child("transformer", transformer);
  child("token_embedding", tokenEmbedding);
  lnFinal = child("ln_final", std::make_shared<LayerNorm>(width));
  initNormal(tokenEmbedding->weight, 0, 0.02);
  initNormal(positionalEmbedding, 0, 0.01);
  transformer->initialize();
  initNormal(projection, 0, std::pow(static_cast<double>(width), -0.5));
}

FrozenOpenCLIPEmbedder::FrozenOpenCLIPEmbedder(const Value& params) {
  model_ = child("model", std::make_shared<Model>(params.get("arch")));
  const std::string layer = params.string("layer");
  if (layer != "last" && layer != "penultimate") invalid("unknown layer '" + layer + "': expected last or penultimate");
  skip_ = layer == "last" ? 0 : 1;
  if (!params.boolean("freeze")) return;
  model_->train(false);
  model_->requiresGrad(false);
}

at::Tensor FrozenOpenCLIPEmbedder::encode(const Value& input) {
  const at::Tensor& tokens = input.asTensor("token ids");
  checkClipTokens(tokens, model_->positionalEmbedding.size(0));
  const at::Tensor x = model_->tokenEmbedding->forward(tokens) + model_->positionalEmbedding;
  return model_->lnFinal->forward(model_->transformer->forward(x, skip_));
}

REGISTER("ldm.modules.encoders.modules.FrozenCLIPEmbedder", FrozenCLIPEmbedder);
REGISTER("ldm.modules.encoders.modules.FrozenOpenCLIPEmbedder", FrozenOpenCLIPEmbedder);

}  // namespace ldm
