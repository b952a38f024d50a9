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
      outputIsEps_(params.boolean("output_is_eps") || model_->diffusion().parameterization() == Parameterization::Eps) {
  plan(params);
  begin(static_cast<int64_t>(timesteps_.size()));
  readGuidance(params);
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
  if (params.has("t_start")) {
    const int64_t start = params.integer("t_start");
    if (start < 1 || start > static_cast<int64_t>(timesteps_.size()))
      invalid("'t_start' must lie between 1 and the " + std::to_string(timesteps_.size()) + " steps, but is " +
              std::to_string(start));
    timesteps_.resize(static_cast<size_t>(start));
  }
  for (size_t i = 0; i < timesteps_.size(); ++i)
    coefficients_.push_back({static_cast<float>(alphas[i]), static_cast<float>(alphasPrev[i]),
                             static_cast<float>(sigmas[i]), static_cast<float>(roots[i])});
}

void DDIMSampler::readGuidance(const Value& params) {
  const Value& scale = params.get("unconditional_guidance_scale");
  const auto steps = static_cast<size_t>(total_);
  scales_ = scale.isList() ? scale.asNumbers("unconditional_guidance_scale")
                           : std::vector<double>(steps, scale.asNumber("unconditional_guidance_scale"));
  if (scales_.size() != steps)
    invalid("'unconditional_guidance_scale' must be a number or one for each of the " + std::to_string(steps) +
            " steps, but there are " + std::to_string(scales_.size()));
  // Guidance of scale 1 is no guidance: the unconditional half of the batch is not computed.
  if (std::all_of(scales_.begin(), scales_.end(), [](double s) { return s == 1; })) return;
  uncond_ = Conditioning::from(params.get("unconditional_conditioning"), model_->conditioningKey()).firstOf(x_.size(0));
}

Evaluation DDIMSampler::nextEvaluation() {
  auto at = Sampler::nextEvaluation();
  if (masked()) at.x = x_ = blend(x_, at.t);
  return at;
}

at::Tensor DDIMSampler::evaluate(const Evaluation& at) {
  const double scale = scales_[static_cast<size_t>(total_ - 1 - index_)];
  if (uncond_.empty() || scale == 1) return applyModel(at.x, at.t, cond_);
  auto both = applyModel(at::cat({at.x, at.x}), at::cat({at.t, at.t}), Conditioning::stack(uncond_, cond_));
  auto halves = both.chunk(2);
  return halves[0] + scale * (halves[1] - halves[0]);
}

bool DDIMSampler::advance(const at::Tensor& out, const Evaluation& at) {
  take(stepWith(epsOf(out, at), outputIsEps_ ? at::Tensor() : model_->diffusion().startOf(at.x, at.t, out)));
  return true;
}

at::Tensor DDIMSampler::epsOf(const at::Tensor& out, const Evaluation& at) const {
  return outputIsEps_ ? out : model_->diffusion().epsOf(at.x, at.t, out);
}

DDIMSampler::Step DDIMSampler::stepWith(const at::Tensor& eps, at::Tensor predX0) const {
  const auto& c = coefficients_[static_cast<size_t>(index_)];
  if (!predX0.defined()) predX0 = (x_ - c.sqrtOneMinusAlpha * eps) / std::sqrt(c.alpha);
  if (quantizeDenoised_) predX0 = model_->quantizeLatent(predX0);
  // Rounding may take the argument a little below 0 where eta is 1 and the step is the first.
  const float direction = std::sqrt(std::max(1.f - c.alphaPrev - c.sigma * c.sigma, 0.f));
  // Noise is drawn at eta 0 too, as in the reference, so that the stream does not depend on eta.
  return {std::sqrt(c.alphaPrev) * predX0 + direction * eps + noise(c.sigma), predX0};
}

void DDIMSampler::take(const Step& step) {
  x_ = step.x;
  predX0_ = step.predX0;
  if (!logged()) return;
  xInter_.push_back(x_);
  predX0Inter_.push_back(predX0_);
}

Value DDIMSampler::result() const {
  return Map{{"samples", x_}, {"x_inter", Value::fromTensors(xInter_)}, {"pred_x0", Value::fromTensors(predX0Inter_)}};
}

REGISTER("ldm.models.diffusion.ddim.DDIMSampler", DDIMSampler);

}  // namespace ldm
