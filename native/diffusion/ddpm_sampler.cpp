#include "ddpm_sampler.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "../core/random.h"
#include "../core/registry.h"

namespace ldm {

ReverseMoments reverseMoments(Denoiser& model, const at::Tensor& out, const at::Tensor& x, const at::Tensor& t,
                              bool clip, bool quantize) {
  const auto& diffusion = model.diffusion();
  at::Tensor x0 = diffusion.startOf(x, t, out);
  if (clip) x0 = x0.clamp(-1., 1.);
  if (quantize) x0 = model.quantizeLatent(x0);
  return {diffusion.qPosterior(x0, x, t), x0};
}

DDPMSampler::DDPMSampler(const Value& params)
    : Sampler(params),
      clipDenoised_(params.has("clip_denoised") ? params.boolean("clip_denoised") : model_->clipDenoised()),
      progressive_(params.boolean("progressive")) {
  const int64_t all = model_->diffusion().timesteps();
  int64_t total = params.has("timesteps") ? params.integer("timesteps") : all;
  if (params.has("start_T")) total = std::min(total, params.integer("start_T"));
  if (total < 1 || total > all)
    invalid("the number of steps must lie between 1 and the model's " + std::to_string(all) + " timesteps, but is " +
            std::to_string(total));
  begin(total);
  if (!progressive_) intermediates_.push_back(x_);
}

at::Tensor DDPMSampler::evaluate(const Evaluation& at) {
  // With shorten_cond_schedule the conditioning is noised anew, and on top of the last time's, in each step.
  cond_ = model_->conditioningAt(cond_, at.t);
  return applyModel(at.x, at.t, cond_);
}

bool DDPMSampler::advance(const at::Tensor& out, const Evaluation& at) {
  auto moments = reverseMoments(*model_, out, x_, at.t, clipDenoised_, quantizeDenoised_);
  predX0_ = moments.x0;
  auto n = noise(1.0);
  x_ = moments.x.mean;
  // No noise in the last step (t = 0).
  if (index_ > 0) x_ = x_ + (0.5 * moments.x.logVariance).exp() * n;
  if (masked()) x_ = blend(x_, at.t);
  if (logged()) intermediates_.push_back(progressive_ ? predX0_ : x_);
  return true;
}

Value DDPMSampler::result() const {
  return Map{{"samples", x_}, {"intermediates", Value::fromTensors(intermediates_)}};
}

REGISTER("ldm.models.diffusion.ddpm.DDPMSampler", DDPMSampler);

}  // namespace ldm
