#include "first_stage_post_processor.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "../core/registry.h"

namespace ldm {

namespace {
int64_t encoderWidth(const Value& firstStage) {
  const Value& params = firstStage.get("params");
  if (!params.isMap() || !params.has("ddconfig"))
    invalid("FirstStagePostProcessor needs 'n_channels', because its first stage has no encoder");
  return params.get("ddconfig").integer("ch");
}
}  // namespace

FirstStagePostProcessor::FirstStagePostProcessor(const Value& params) : reshape_(params.boolean("reshape")) {
  const Value& config = params.get("pretrained_config");
  pretrained_ = child("pretrained_model", createFromConfig<FirstStage>(config));
  pretrained_->train(false);
  pretrained_->requiresGrad(false);

  const int64_t in = params.integer("in_channels");
  const int64_t width = params.has("n_channels") ? params.integer("n_channels") : encoderWidth(config);
  projNorm_ = child("proj_norm", std::make_shared<GroupNorm>(in / 2, in, 1e-6));
  proj_ = child("proj", std::make_shared<Conv>(in, width, 3, ConvOptions{.stride = 1, .padding = 1}));
  model_ = std::make_shared<ModuleList<autoencoder::ResnetBlock>>();
  downsampler_ = std::make_shared<ModuleList<autoencoder::Downsample>>();
  constexpr int64_t kUnusedTemb = 512;  // the reference leaves the blocks' default, so checkpoints have temb_proj
  int64_t before = width;
  for (int64_t mult : params.ints("ch_mult")) {
    model_->append(std::make_shared<autoencoder::ResnetBlock>(autoencoder::ResnetBlockOptions{
        .in = before, .out = mult * width, .dropout = params.number("dropout"), .tembChannels = kUnusedTemb}));
    before = mult * width;
    downsampler_->append(std::make_shared<autoencoder::Downsample>(before, /*withConv=*/false));
  }
  child("model", model_);
  child("downsampler", downsampler_);
}

at::Tensor FirstStagePostProcessor::forward(const at::Tensor& x) {
  at::Tensor h;
  {
    at::NoGradGuard noGrad;
    h = pretrained_->encodeFirst(x).mode();
  }
  h = autoencoder::swish(proj_->forward(projNorm_->forward(h)));
  for (size_t i = 0; i < model_->size(); ++i) h = (*downsampler_)[i].forward((*model_)[i].forward(h));
  return reshape_ ? h.flatten(2).transpose(1, 2) : h;
}

REGISTER("ldm.modules.diffusionmodules.model.FirstStagePostProcessor", FirstStagePostProcessor);

}  // namespace ldm
