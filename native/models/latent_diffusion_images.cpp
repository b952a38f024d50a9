// LatentDiffusion.log_images: the pictures that show how training goes.
//
// Two oddities of the reference are kept, so that the random stream and the pictures agree: DDIM gets no quantization
// for samples_x0_quantized (it ignores the option's name), and outpainting uses the inpainting mask. One is repaired:
// denoise_row works with DDIM, too.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <optional>

#include "../core/random.h"
#include "../diffusion/ddim_sampler.h"
#include "../diffusion/ddpm_sampler.h"
#include "identity_first_stage.h"
#include "image_grid.h"
#include "latent_diffusion.h"

namespace ldm {

namespace {

bool isMap(const Value& v) { return v.isTensor() && v.asTensor().dim() == 4 && v.asTensor().size(1) > 3; }
bool isImage(const Value& v) {
  return v.isTensor() && v.asTensor().dim() == 4 && (v.asTensor().size(1) == 3 || v.asTensor().size(1) == 1);
}

struct Samples {
  at::Tensor z;
  std::vector<at::Tensor> intermediates;
};

// sample_log: DDIM with `steps`, or ancestral sampling without.
Samples sampleLog(Map params, const Value& steps, double eta) {
  if (steps.isNull()) {
    DDPMSampler sampler{params};
    auto z = sampler.run();
    return {z, sampler.intermediates()};
  }
  params.set("S", steps);
  params.set("eta", eta);
  params.set("log_every_t", 100);
  DDIMSampler sampler{params};
  auto z = sampler.run();
  return {z, sampler.intermediates()};
}

}  // namespace

at::Tensor LatentDiffusion::toRgb(const at::Tensor& x) {
  if (!colorize_.defined()) colorize_ = ldm::randn({3, x.size(1), 1, 1}, x.options().dtype(at::kFloat));
  auto y = at::conv2d(x.to(at::kFloat), colorize_.to(x.device()));
  return 2. * (y - y.min()) / (y.max() - y.min()) - 1.;
}

at::Tensor LatentDiffusion::decodeRow(const std::vector<at::Tensor>& steps) {
  std::vector<at::Tensor> images;
  for (const auto& z : steps) images.push_back(decodeLatent(z, false, false));
  return rowGrid(images);
}

void LatentDiffusion::logConditioning(const LatentInput& input, Map& log) {
  if (conditioningKey() == ConditioningKey::None) return;
  Value shown = input.condInput;
  if (auto* stage = dynamic_cast<FirstStage*>(condStage_.get())) shown = stage->decodeFirst(input.cond.asTensor());
  if (isImage(shown)) log.set("conditioning", shown);
  if (isMap(shown)) log.set("original_conditioning", toRgb(shown.asTensor()));
}

Value LatentDiffusion::logImages(const Value& args) {
  at::NoGradGuard noGrad;
  auto input = latentInput(args.get("batch"), /*forceEncode=*/true, args.integer("N"));
  const int64_t n = input.x.size(0), columns = std::min(n, args.integer("n_row"));
  const Value& steps = args.get("ddim_steps");
  const double eta = args.number("ddim_eta");
  const auto cond = Conditioning::from(input.cond, conditioningKey());
  Map plain = plainSampling(shared_from_this(), sampleShape(n), cond);
  auto decode = [this](const at::Tensor& z) { return decodeLatent(z, false, false); };

  Map log{{"inputs", input.x}, {"reconstruction", decode(input.z)}};
  logConditioning(input, log);

  if (args.boolean("plot_diffusion_rows")) {
    auto start = input.z.slice(0, 0, columns);
    std::vector<at::Tensor> images;
    for (int64_t step : loggedTimesteps()) {
      auto t = at::full({columns}, step, start.options().dtype(at::kLong));
      images.push_back(decode(diffusion_.qSample(start, t, randnLike(start))));
    }
    log.set("diffusion_row", rowGrid(images));
  }

  EmaScope averaged = emaScope();
  if (args.boolean("sample")) {
    auto samples = sampleLog(plain, steps, eta);
    log.set("samples", decode(samples.z));
    if (args.boolean("plot_denoise_rows")) log.set("denoise_row", decodeRow(samples.intermediates));

    const bool codes = firstStage_->vqInterface() && !dynamic_cast<IdentityFirstStage*>(firstStage_.get());
    if (args.boolean("quantize_denoised") && codes) {
      Map params = plain;
      params.set("quantize_denoised", steps.isNull());
      log.set("samples_x0_quantized", decode(sampleLog(params, steps, eta).z));
    }
    if (args.boolean("inpaint")) {
      const int64_t h = input.z.size(2), w = input.z.size(3);
      auto mask = at::ones({n, 1, h, w}, input.z.options());
      mask.slice(2, h / 4, 3 * h / 4).slice(3, w / 4, 3 * w / 4).zero_();
      Map params = plain;
      params.set("mask", mask);
      params.set("x0", input.z);
      log.set("samples_inpainting", decode(sampleLog(params, steps, eta).z));
      log.set("mask", mask);
      log.set("samples_outpainting", decode(sampleLog(params, steps, eta).z));
    }
  }
  if (args.boolean("plot_progressive_rows")) {
    Map params = plain;
    params.set("progressive", true);
    DDPMSampler sampler{params};
    sampler.run();
    log.set("progressive_row", decodeRow(sampler.intermediates()));
  }
  return log;
}

}  // namespace ldm
