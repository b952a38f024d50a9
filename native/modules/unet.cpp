// After ldm/modules/diffusionmodules/openaimodel.py (adapted there from guided-diffusion, Dhariwal & Nichol 2021).
//
// Departures: `use_checkpoint` also decides for attention and transformer blocks, which the reference always recomputes
// in the backward pass (same numbers: there is no dropout inside). A channel_mult that does not start with 1 is refused
// when the U-Net is built; the reference fails in its last convolution.
#include "unet.h"

#include <ATen/ATen.h>

#include "../core/registry.h"
#include "../kernels/policy.h"
#include "timestep_embedding.h"
#include "unet_builder.h"

namespace ldm {

namespace {

unet::UNetOptions readOptions(const Value& params) {
  unet::UNetOptions options(params);
  options.useSpatialTransformer = params.boolean("use_spatial_transformer");
  options.transformerDepth = params.integer("transformer_depth");
  options.legacy = params.boolean("legacy");
  options.disableMiddleSelfAttn = params.boolean("disable_middle_self_attn");
  options.useLinearInTransformer = params.boolean("use_linear_in_transformer");
  if (params.has("context_dim")) {
    const Value& width = params.get("context_dim");
    options.contextDims = width.isList() ? width.asInts("context_dim") : std::vector<int64_t>{width.asInteger()};
  }
  if (params.has("disable_self_attentions"))
    for (const Value& off : params.get("disable_self_attentions").asList())
      options.disableSelfAttentions.push_back(off.asBool("disable_self_attentions"));
  if (params.has("num_attention_blocks")) options.numAttentionBlocks = params.ints("num_attention_blocks");
  for (const size_t given : {options.disableSelfAttentions.size(), options.numAttentionBlocks.size()})
    if (given != 0 && given != options.channelMult.size())
      invalid("'disable_self_attentions' and 'num_attention_blocks' need an entry for each of the " +
              std::to_string(options.channelMult.size()) + " levels, but " + std::to_string(given) + " are given");
  if (options.useSpatialTransformer != !options.contextDims.empty())
    invalid(options.useSpatialTransformer
                ? "'use_spatial_transformer' needs the width of the condition in 'context_dim'"
                : "'context_dim' is given, so 'use_spatial_transformer' must be true");
  if (options.channelMult.front() != 1)
    invalid("The first entry of 'channel_mult' must be 1, but is " + std::to_string(options.channelMult.front()));
  return options;
}

}  // namespace

UNetModel::UNetModel(const Value& params) {
  const unet::UNetOptions options = readOptions(params);
  inChannels_ = options.inChannels;
  outChannels_ = options.outChannels;
  modelChannels_ = options.modelChannels;
  unet::UNetBuilder builder(options);
  timeEmbed_ = child("time_embed", builder.timeEmbedding());
  if (params.has("num_classes")) createLabelEmbedding(params, builder.timeEmbedDim());
  inputBlocks_ = child("input_blocks", builder.inputBlocks());
  middleBlock_ = child("middle_block", builder.middleBlock());
  outputBlocks_ = child("output_blocks", builder.outputBlocks());

  const auto normalization = [&] { return std::make_shared<GroupNorm>(32, builder.channels, 1e-5, true); };
  out_ = std::make_shared<Sequential>();
  out_->append(normalization());
  out_->append(Activation::silu());
  out_->append(std::make_shared<Conv>(modelChannels_, outChannels_, 3, ConvOptions{.padding = 1, .dims = options.dims})
                   ->zeroed());
  child("out", out_);
  if (params.has("n_embed")) {
    idPredictor_ = std::make_shared<Sequential>();
    idPredictor_->append(normalization());
    idPredictor_->append(
        std::make_shared<Conv>(modelChannels_, params.integer("n_embed"), 1, ConvOptions{.dims = options.dims}));
    child("id_predictor", idPredictor_);
  }

  method("forward", [this](const Value& args) -> Value {
    return Map{
        {"out", forward(args.tensor("x"), args.tensor("timesteps"), args.optTensor("context"), args.optTensor("y"))}};
  });
}

void UNetModel::createLabelEmbedding(const Value& params, int64_t width) {
  const Value& classes = params.get("num_classes");
  if (!classes.isString()) {
    labelEmb_ = child("label_emb", std::make_shared<Embedding>(classes.asInteger("num_classes"), width));
    return;
  }
  const bool sequential = classes.asString() == "sequential";
  if (!sequential && classes.asString() != "continuous")
    invalid("'num_classes' must be a number, continuous or sequential, but is '" + classes.asString() + "'");
  vectorWidth_ = sequential ? params.integer("adm_in_channels") : 1;
  if (!sequential) {
    vectorEmb_ = child<Layer>("label_emb", std::make_shared<Linear>(vectorWidth_, width));
    return;
  }
  auto inner = std::make_shared<Sequential>();
  inner->append(std::make_shared<Linear>(vectorWidth_, width));
  inner->append(Activation::silu());
  inner->append(std::make_shared<Linear>(width, width));
  auto outer = std::make_shared<Sequential>();
  outer->append(inner);
  vectorEmb_ = child<Layer>("label_emb", outer);
}

at::Tensor UNetModel::labelEmbedding(const at::Tensor& y, int64_t batch, at::ScalarType type) const {
  const auto expect = [&](const std::string& shape) {
    invalid("Class labels must have shape " + shape + ", but received " + Value(y).describe());
  };
  if (labelEmb_) {
    if (y.dim() != 1 || y.size(0) != batch) expect("[" + std::to_string(batch) + "]");
    return labelEmb_->forward(y);
  }
  if (y.dim() != 2 || y.size(0) != batch || y.size(1) != vectorWidth_)
    expect("[" + std::to_string(batch) + ", " + std::to_string(vectorWidth_) + "]");
  return vectorEmb_->forward(y.to(type));
}

at::Tensor UNetModel::forward(const at::Tensor& x, const at::Tensor& timesteps, const at::Tensor& context,
                              const at::Tensor& y) {
  if (x.dim() < 3 || x.size(1) != inChannels_)
    invalid("The U-Net needs an input of shape [n, " + std::to_string(inChannels_) + ", ...], but received " +
            Value(x).describe());
  if (y.defined() != classConditional())
    invalid(classConditional() ? "The U-Net is class-conditional (num_classes): it needs class labels 'y'"
                               : "The U-Net has no num_classes, but class labels 'y' were given");
  const at::ScalarType type = timeEmbed_->parameters().back().scalar_type();  // of a bias: weights may be compact
  at::Tensor emb = timeEmbed_->forward(timestepEmbedding(timesteps, modelChannels_).to(type));
  if (y.defined()) emb = emb + labelEmbedding(y, x.size(0), type);

  at::Tensor h = inFastLayout(x.to(type));
  std::vector<at::Tensor> skips;
  for (const auto& block : *inputBlocks_) {
    h = block->forward(h, emb, context);
    skips.push_back(h);
  }
  h = middleBlock_->forward(h, emb, context);
  for (const auto& block : *outputBlocks_) {
    h = at::cat({h, skips.back()}, 1);
    skips.pop_back();
    h = block->forward(h, emb, context);
  }
  poll();
  return (idPredictor_ ? idPredictor_ : out_)->forward(h).to(x.scalar_type());
}

REGISTER("ldm.modules.diffusionmodules.openaimodel.UNetModel", UNetModel);

}  // namespace ldm
