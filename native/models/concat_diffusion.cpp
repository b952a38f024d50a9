#include "concat_diffusion.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "../core/random.h"
#include "../core/registry.h"

namespace ldm {

namespace {

/// The arguments of log_images without the kinds of rows that these models do not log.
Map plainRows(const Value& args, std::initializer_list<const char*> off) {
  Map out = args.asMap("arguments");
  for (const char* name : off) out.set(name, false);
  return out;
}

/// Parameters of GaussianDiffusion from a noise_schedule_config.
Value scheduleParams(const Value& config) {
  Map out = config.asMap("noise_schedule_config");
  out.set("given_betas", {});
  out.set("v_posterior", 0.0);
  out.set("parameterization", "eps");
  return out;
}

void refuseTrainableCondition(const Value& params) {
  if (params.boolean("cond_stage_trainable"))
    invalid("this model takes its text condition as it is: set cond_stage_trainable to false");
}

}  // namespace

LatentInpaintDiffusion::LatentInpaintDiffusion(const Value& params)
    : LatentDiffusion(params), maskedImageKey_(params.string("masked_image_key")) {
  refuseTrainableCondition(params);
  for (const Value& key : params.get("concat_keys").asList("concat_keys"))
    concatKeys_.push_back(key.asString("concat_keys"));
  if (std::find(concatKeys_.begin(), concatKeys_.end(), maskedImageKey_) == concatKeys_.end())
    invalid("'concat_keys' must name the masked image, '" + maskedImageKey_ + "'");
}

LatentInput LatentInpaintDiffusion::latentInput(const Value& batch, bool, int64_t limit) {
  at::NoGradGuard noGrad;
  LatentInput out = LatentDiffusion::latentInput(batch, /*forceEncode=*/true, limit);
  std::vector<at::Tensor> parts;
  for (const auto& key : concatKeys_) {
    at::Tensor x = imageInput(batch, key);
    if (limit >= 0) x = x.slice(0, 0, limit);
    parts.push_back(key == maskedImageKey_ ? encodeLatent(x)
                                           : at::upsample_nearest2d(x, {out.z.size(2), out.z.size(3)}));
  }
  out.cond = Map{{"c_concat", Value::fromTensors({at::cat(parts, 1)})}, {"c_crossattn", out.cond}};
  return out;
}

Value LatentInpaintDiffusion::logImages(const Value& args) {
  Map log =
      LatentDiffusion::logImages(plainRows(args, {"inpaint", "plot_progressive_rows", "quantize_denoised"})).asMap();
  log.set("masked_image", imageInput(args.get("batch"), maskedImageKey_));
  return log;
}

LowScaleModel::LowScaleModel() {
  method("augment", [this](const Value& args) -> Value {
    auto out = augment(args.tensor("x"), args.optTensor("level"));
    return Map{{"x", out.x}, {"level", out.level}};
  });
}

LowScaleModel::Output SimpleImageConcat::augment(const at::Tensor& x, at::Tensor) {
  return {x, at::zeros({x.size(0)}, x.options().dtype(at::kLong))};
}

ImageConcatWithNoiseAugmentation::ImageConcatWithNoiseAugmentation(const Value& params)
    : diffusion_(scheduleParams(params.get("noise_schedule_config"))),
      maxNoiseLevel_(params.integer("max_noise_level")) {
  // Those of DDPM's buffers that have nothing to do with the posterior.
  const auto buffers = diffusion_.buffers();
  for (size_t i = 0; i < 8; ++i) buffer(buffers[i].first, buffers[i].second);
}

LowScaleModel::Output ImageConcatWithNoiseAugmentation::augment(const at::Tensor& x, at::Tensor level) {
  if (!level.defined()) level = ldm::randint(0, maxNoiseLevel_, {x.size(0)}, x.options().dtype(at::kLong));
  return {diffusion_.qSample(x, level, randnLike(x)), level};
}

LatentUpscaleDiffusion::LatentUpscaleDiffusion(const Value& params)
    : LatentDiffusion(params), lowScaleKey_(params.string("low_scale_key")) {
  refuseTrainableCondition(params);
  lowScale_ = child("low_scale_model", createFromConfig<LowScaleModel>(params.get("low_scale_config")));
  lowScale_->train(false);
  lowScale_->requiresGrad(false);
  method("lowScale", [this](const Value& args) -> Value {
    at::NoGradGuard noGrad;
    auto out = lowScale_->augment(args.tensor("x"), args.optTensor("level"));
    return Map{{"x", out.x}, {"level", out.level}};
  });
}

void LatentUpscaleDiffusion::train(bool mode) {
  LatentDiffusion::train(mode);
  lowScale_->train(false);
}

LatentInput LatentUpscaleDiffusion::latentInput(const Value& batch, bool, int64_t limit) {
  at::NoGradGuard noGrad;
  LatentInput out = LatentDiffusion::latentInput(batch, /*forceEncode=*/true, limit);
  at::Tensor small = imageInput(batch, lowScaleKey_);
  if (limit >= 0) small = small.slice(0, 0, limit);
  const auto low = lowScale_->augment(small, {});
  out.cond = Map{{"c_concat", Value::fromTensors({low.x})}, {"c_crossattn", out.cond}, {"c_adm", low.level}};
  return out;
}

Value LatentUpscaleDiffusion::logImages(const Value& args) {
  Map log = LatentDiffusion::logImages(plainRows(args, {"inpaint", "quantize_denoised"})).asMap();
  log.set("x_lr", imageInput(args.get("batch"), lowScaleKey_));
  return log;
}

REGISTER("ldm.models.diffusion.ddpm.LatentInpaintDiffusion", LatentInpaintDiffusion);
REGISTER("ldm.models.diffusion.ddpm.LatentUpscaleDiffusion", LatentUpscaleDiffusion);
REGISTER("ldm.modules.diffusionmodules.upscaling.SimpleImageConcat", SimpleImageConcat);
REGISTER("ldm.modules.diffusionmodules.upscaling.ImageConcatWithNoiseAugmentation", ImageConcatWithNoiseAugmentation);

}  // namespace ldm
