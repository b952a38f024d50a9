#include "encoder_unet.h"

#include <ATen/ATen.h>

#include <numeric>
#include <string>

#include "../core/registry.h"
#include "attention_block.h"
#include "timestep_embedding.h"
#include "unet_builder.h"

namespace ldm {

namespace {

std::shared_ptr<Sequential> makeHead(const Value& params, const unet::UNetOptions& options,
                                     const unet::UNetBuilder& builder) {
  const std::string& pool = params.string("pool");
  const int64_t channels = builder.channels;
  const auto normalization = [](int64_t n) { return std::make_shared<GroupNorm>(32, n, 1e-5, true); };
  auto head = std::make_shared<Sequential>();
  if (pool == "adaptive") {
    head->append(normalization(channels));
    head->append(Activation::silu());
    head->append(std::make_shared<Activation>([](const at::Tensor& x) { return at::adaptive_avg_pool2d(x, {1, 1}); }));
    head->append(std::make_shared<Conv>(channels, options.outChannels, 1, ConvOptions{.dims = options.dims})->zeroed());
    head->append(std::make_shared<Activation>([](const at::Tensor& x) { return x.flatten(1); }));
  } else if (pool == "attention") {
    if (options.numHeadChannels == -1) invalid("pool 'attention' needs 'num_head_channels'");
    head->append(normalization(channels));
    head->append(Activation::silu());
    head->append(std::make_shared<unet::AttentionPool2d>(params.integer("image_size") / builder.downsampling, channels,
                                                         options.numHeadChannels, options.outChannels));
  } else if (pool == "spatial" || pool == "spatial_v2") {
    constexpr int64_t hidden = 2048;
    const auto& sizes = builder.skipChannels;
    const int64_t features = std::accumulate(sizes.begin(), sizes.end(), channels);
    head->append(std::make_shared<Linear>(features, hidden));
    if (pool == "spatial") {
      head->append(Activation::relu());
    } else {
      head->append(normalization(hidden));
      head->append(Activation::silu());
    }
    head->append(std::make_shared<Linear>(hidden, options.outChannels));
  } else {
    invalid("'pool' must be adaptive, attention, spatial or spatial_v2, but is '" + pool + "'");
  }
  return head;
}

}  // namespace

EncoderUNetModel::EncoderUNetModel(const Value& params)
    : pooledFeatures_(params.string("pool").starts_with("spatial")) {
  const unet::UNetOptions options(params);
  modelChannels_ = options.modelChannels;
  unet::UNetBuilder builder(options);
  timeEmbed_ = child("time_embed", builder.timeEmbedding());
  inputBlocks_ = child("input_blocks", builder.inputBlocks());
  middleBlock_ = child("middle_block", builder.middleBlock());
  out_ = child("out", makeHead(params, options, builder));
  method("forward", [this](const Value& args) -> Value {
    return Map{{"logits", forward(args.tensor("x"), args.tensor("timesteps"))}};
  });
}

at::Tensor EncoderUNetModel::forward(const at::Tensor& x, const at::Tensor& timesteps) {
  const at::ScalarType type = timeEmbed_->parameters().back().scalar_type();  // of a bias: weights may be compact
  const at::Tensor emb = timeEmbed_->forward(timestepEmbedding(timesteps, modelChannels_).to(type));
  at::Tensor h = x.to(type);
  std::vector<at::Tensor> features;
  const auto collect = [&] {
    if (pooledFeatures_) features.push_back(h.mean({2, 3}));
  };
  for (const auto& block : *inputBlocks_) {
    h = block->forward(h, emb, {});
    collect();
  }
  h = middleBlock_->forward(h, emb, {});
  collect();
  return out_->forward(pooledFeatures_ ? at::cat(features, 1) : h).to(x.scalar_type());
}

REGISTER("ldm.modules.diffusionmodules.openaimodel.EncoderUNetModel", EncoderUNetModel);

}  // namespace ldm
