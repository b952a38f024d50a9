#include "ddim_sampler.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "../core/random.h"
#include "../core/registry.h"

namespace ldm {

namespace {

std::vector<double> toDoubles(const at::Tensor& t) {
  auto c = t.to(at::kCPU, at::kDouble).contiguous();
  return {c.data_ptr<double>(), c.data_ptr<double>() + c.numel()};
}

}  // namespace

DDIMSampler::DDIMSampler(const Value& params)
    : Sampler(params),
      scale_(params.number("unconditional_guidance_scale")),
      outputIsEps_(params.boolean("output_is_eps") || model_->diffusion().parameterization() == Parameterization::Eps) {
  // Guidance of scale 1 is no guidance: the unconditional half of the batch is not computed.
  if (scale_ != 1)
    uncond_ =
        Conditioning::from(params.get("unconditional_conditioning"), model_->conditioningKey()).firstOf(x_.size(0));
  plan(params);
  begin(static_cast<int64_t>(timesteps_.size()));
  xInter_ = predX0Inter_ = {x_};
}

void DDIMSampler::plan(const Value& params) {
  const auto& diffusion = model_->diffusion();
  const double eta = params.number("eta");
  std::vector<double> alphas, alphasPrev, sigmas;
  std::vector<double> roots;
  if (params.boolean("use_original_steps")) {
    for (int64_t t = 0; t < diffusion.timesteps(); ++t) timesteps_.push_back(t);
    const auto& bar = diffusion.alphasCumprod;
    const auto& prev = diffusion.alphasCumprodPrev;
    alphas = toDoubles(bar);
    alphasPrev = toDoubles(prev);
    sigmas = toDoubles(eta * ((1 - prev) / (1 - bar) * (1 - bar / prev)).sqrt());
    roots = toDoubles(diffusion.sqrtOneMinusAlphasCumprod);
  } else {
    timesteps_ = makeDdimTimesteps(params.string("discretize"), params.integer("S"), diffusion.timesteps());
    auto p = makeDdimSamplingParameters(diffusion.alphasCumprod, timesteps_, eta);
    alphas = toDoubles(p.alphas);
    alphasPrev = toDoubles(p.alphasPrev);
    sigmas = toDoubles(p.sigmas);
    roots = toDoubles((1 - p.alphas).sqrt());
  }
  if (params.has("timesteps")) {
    const int64_t wanted = params.integer("timesteps");
    const auto all = static_cast<int64_t>(timesteps_.size());
    // The reference keeps one step fewer than asked for, unless all of the model's steps are used.
    const auto share = std::min(static_cast<double>(wanted) / static_cast<double>(all), 1.0);
    const int64_t kept = params.boolean("use_original_steps")
                             ? std::min(wanted, all)
                             : static_cast<int64_t>(share * static_cast<double>(all)) - 1;
    if (kept < 1) invalid("'timesteps' leaves no step to do: it must be at least 2, but is " + std::to_string(wanted));
    timesteps_.resize(static_cast<size_t>(kept));
  }
  for (size_t i = 0; i < timesteps_.size(); ++i)
    coefficients_.push_back({static_cast<float>(alphas[i]), static_cast<float>(alphasPrev[i]),
                             static_cast<float>(sigmas[i]), static_cast<float>(roots[i])});
}

at::Tensor DDIMSampler::predict(const at::Tensor& t) {
  if (masked()) x_ = blend(x_, t);
  if (uncond_.empty()) return model_->applyModel(x_, t, cond_);
  auto both = model_->applyModel(at::cat({x_, x_}), at::cat({t, t}), Conditioning::stack(uncond_, cond_)).chunk(2);
  return both[0] + scale_ * (both[1] - both[0]);
}

void DDIMSampler::advance(const at::Tensor& out, const at::Tensor& t) {
  const auto& c = coefficients_[static_cast<size_t>(index_)];
  const auto& diffusion = model_->diffusion();
  at::Tensor eps = outputIsEps_ ? out : diffusion.epsOf(x_, t, out);
  predX0_ = outputIsEps_ ? (x_ - c.sqrtOneMinusAlpha * eps) / std::sqrt(c.alpha) : diffusion.startOf(x_, t, out);
  if (quantizeDenoised_) predX0_ = model_->quantizeLatent(predX0_);
  // Rounding may take the argument a little below 0 where eta is 1 and the step is the first.
  const float direction = std::sqrt(std::max(1.f - c.alphaPrev - c.sigma * c.sigma, 0.f));
  // Noise is drawn at eta 0 too, as in the reference, so that the stream does not depend on eta.
  x_ = std::sqrt(c.alphaPrev) * predX0_ + direction * eps + noise(c.sigma);
  if (logged()) {
    xInter_.push_back(x_);
    predX0Inter_.push_back(predX0_);
  }
}

Value DDIMSampler::result() const {
  return Map{{"samples", x_}, {"x_inter", Value::fromTensors(xInter_)}, {"pred_x0", Value::fromTensors(predX0Inter_)}};
}

REGISTER("ldm.models.diffusion.ddim.DDIMSampler", DDIMSampler);

}  // namespace ldm
