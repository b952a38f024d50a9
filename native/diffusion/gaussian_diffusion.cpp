#include "gaussian_diffusion.h"

#include <ATen/ATen.h>

#include <cmath>

#include "../modules/distributions.h"
#include "schedule.h"

namespace ldm {

Parameterization parseParameterization(const std::string& name) {
  if (name == "eps") return Parameterization::Eps;
  if (name == "x0") return Parameterization::X0;
  if (name == "v") return Parameterization::V;
  invalid("unknown parameterization '" + name + "': expected eps, x0 or v");
}

at::Tensor extract(const at::Tensor& a, const at::Tensor& t, int64_t dims) {
  std::vector<int64_t> shape(static_cast<size_t>(dims), 1);
  shape[0] = t.size(0);
  return a.gather(-1, t).reshape(shape);
}

namespace {

at::Tensor betasFrom(const Value& params) {
  const Value& given = params.get("given_betas");
  if (given.isNull())
    return makeBetaSchedule(params.string("beta_schedule"), params.integer("timesteps"), params.number("linear_start"),
                            params.number("linear_end"), params.number("cosine_s"));
  auto betas = given.isTensor() ? given.asTensor().to(at::kCPU, at::kDouble)
                                : at::tensor(given.asNumbers("given_betas"), at::kDouble);
  if (betas.dim() != 1 || betas.size(0) < 1)
    invalid("'given_betas' must be a list of at least one beta, but is " + Value(betas).describe());
  return betas;
}

}  // namespace

GaussianDiffusion::GaussianDiffusion(const Value& params)
    : parameterization_(parseParameterization(params.string("parameterization"))) {
  const at::Tensor b = betasFrom(params);
  const double v = params.number("v_posterior");
  timesteps_ = b.size(0);

  const at::Tensor alphas = 1 - b;
  const at::Tensor bar = alphas.cumprod(0);
  const at::Tensor barPrev = at::cat({at::ones({1}, at::kDouble), bar.slice(0, 0, -1)});
  auto single = [](const at::Tensor& x) { return x.to(at::kFloat); };

  betas = b.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  alphasCumprod = single(bar);
  alphasCumprodPrev = single(barPrev);
  sqrtAlphasCumprod = single(bar.sqrt());
  sqrtOneMinusAlphasCumprod = single((1 - bar).sqrt());
  logOneMinusAlphasCumprod = single((1 - bar).log());
  sqrtRecipAlphasCumprod = single((1 / bar).sqrt());
  sqrtRecipm1AlphasCumprod = single((1 / bar - 1).sqrt());

  const at::Tensor variance = (1 - v) * b * (1 - barPrev) / (1 - bar) + v * b;
  posteriorVariance = single(variance);
  // The variance is 0 at the beginning of the chain, hence the clipping.
  posteriorLogVarianceClipped = single(variance.clamp_min(1e-20).log());
  posteriorMeanCoef1 = single(b * barPrev.sqrt() / (1 - bar));
  posteriorMeanCoef2 = single((1 - barPrev) * alphas.sqrt() / (1 - bar));

  // From the float32 buffers, as in the reference. Its formula for x0 reads 2 * 1 - alpha_bar where the derivation has
  // 2 * (1 - alpha_bar); models were trained with it, so it stays.
  if (parameterization_ == Parameterization::Eps)
    lvlbWeights = betas.pow(2) / (2 * posteriorVariance * single(alphas) * (1 - alphasCumprod));
  else if (parameterization_ == Parameterization::V)
    lvlbWeights = at::ones_like(betas);
  else
    lvlbWeights = 0.5 * alphasCumprod.sqrt() / (2. - alphasCumprod);
  // The posterior variance at t = 0 is 0; its weight takes the next one's value.
  if (timesteps_ > 1) lvlbWeights[0] = lvlbWeights[1];
}

std::vector<std::pair<std::string, at::Tensor>> GaussianDiffusion::buffers() const {
  return {{"betas", betas},
          {"alphas_cumprod", alphasCumprod},
          {"alphas_cumprod_prev", alphasCumprodPrev},
          {"sqrt_alphas_cumprod", sqrtAlphasCumprod},
          {"sqrt_one_minus_alphas_cumprod", sqrtOneMinusAlphasCumprod},
          {"log_one_minus_alphas_cumprod", logOneMinusAlphasCumprod},
          {"sqrt_recip_alphas_cumprod", sqrtRecipAlphasCumprod},
          {"sqrt_recipm1_alphas_cumprod", sqrtRecipm1AlphasCumprod},
          {"posterior_variance", posteriorVariance},
          {"posterior_log_variance_clipped", posteriorLogVarianceClipped},
          {"posterior_mean_coef1", posteriorMeanCoef1},
          {"posterior_mean_coef2", posteriorMeanCoef2}};
}

at::Tensor GaussianDiffusion::qSample(const at::Tensor& x0, const at::Tensor& t, const at::Tensor& noise) const {
  return extract(sqrtAlphasCumprod, t, x0.dim()) * x0 + extract(sqrtOneMinusAlphasCumprod, t, x0.dim()) * noise;
}

at::Tensor GaussianDiffusion::qSampleAtSteps(const at::Tensor& x0, const at::Tensor& t,
                                             const std::vector<int64_t>& timesteps, const at::Tensor& noise) const {
  std::vector<int64_t> shape(static_cast<size_t>(x0.dim()), 1);
  shape[0] = t.size(0);
  const at::Tensor bar = alphaBarAtSteps(alphasCumprod, timesteps, t).reshape(shape);
  return bar.sqrt() * x0 + (1 - bar).sqrt() * noise;
}

NormalMoments GaussianDiffusion::qMeanVariance(const at::Tensor& x0, const at::Tensor& t) const {
  return {extract(sqrtAlphasCumprod, t, x0.dim()) * x0, extract(1 - alphasCumprod, t, x0.dim()),
          extract(logOneMinusAlphasCumprod, t, x0.dim())};
}

NormalMoments GaussianDiffusion::qPosterior(const at::Tensor& x0, const at::Tensor& xt, const at::Tensor& t) const {
  return {extract(posteriorMeanCoef1, t, xt.dim()) * x0 + extract(posteriorMeanCoef2, t, xt.dim()) * xt,
          extract(posteriorVariance, t, xt.dim()), extract(posteriorLogVarianceClipped, t, xt.dim())};
}

at::Tensor GaussianDiffusion::predictStartFromNoise(const at::Tensor& xt, const at::Tensor& t,
                                                    const at::Tensor& noise) const {
  return extract(sqrtRecipAlphasCumprod, t, xt.dim()) * xt - extract(sqrtRecipm1AlphasCumprod, t, xt.dim()) * noise;
}

at::Tensor GaussianDiffusion::predictEpsFromStart(const at::Tensor& xt, const at::Tensor& t,
                                                  const at::Tensor& x0) const {
  return (extract(sqrtRecipAlphasCumprod, t, xt.dim()) * xt - x0) / extract(sqrtRecipm1AlphasCumprod, t, xt.dim());
}

at::Tensor GaussianDiffusion::getV(const at::Tensor& x0, const at::Tensor& noise, const at::Tensor& t) const {
  return extract(sqrtAlphasCumprod, t, x0.dim()) * noise - extract(sqrtOneMinusAlphasCumprod, t, x0.dim()) * x0;
}

at::Tensor GaussianDiffusion::predictStartFromV(const at::Tensor& xt, const at::Tensor& t, const at::Tensor& v) const {
  return extract(sqrtAlphasCumprod, t, xt.dim()) * xt - extract(sqrtOneMinusAlphasCumprod, t, xt.dim()) * v;
}

at::Tensor GaussianDiffusion::predictEpsFromV(const at::Tensor& xt, const at::Tensor& t, const at::Tensor& v) const {
  return extract(sqrtAlphasCumprod, t, xt.dim()) * v + extract(sqrtOneMinusAlphasCumprod, t, xt.dim()) * xt;
}

at::Tensor GaussianDiffusion::startOf(const at::Tensor& xt, const at::Tensor& t, const at::Tensor& out) const {
  switch (parameterization_) {
    case Parameterization::Eps:
      return predictStartFromNoise(xt, t, out);
    case Parameterization::V:
      return predictStartFromV(xt, t, out);
    default:
      return out;
  }
}

at::Tensor GaussianDiffusion::epsOf(const at::Tensor& xt, const at::Tensor& t, const at::Tensor& out) const {
  switch (parameterization_) {
    case Parameterization::X0:
      return predictEpsFromStart(xt, t, out);
    case Parameterization::V:
      return predictEpsFromV(xt, t, out);
    default:
      return out;
  }
}

at::Tensor GaussianDiffusion::targetOf(const at::Tensor& x0, const at::Tensor& noise, const at::Tensor& t) const {
  switch (parameterization_) {
    case Parameterization::X0:
      return x0;
    case Parameterization::V:
      return getV(x0, noise, t);
    default:
      return noise;
  }
}

at::Tensor GaussianDiffusion::priorBpd(const at::Tensor& x0) const {
  auto t = at::full({x0.size(0)}, timesteps_ - 1, x0.options().dtype(at::kLong).requires_grad(false));
  auto q = qMeanVariance(x0, t);
  auto zero = at::zeros({}, x0.options());
  auto kl = normalKl(q.mean, q.logVariance, zero, zero);
  return kl.flatten(1).mean(1) / std::log(2.0);
}

}  // namespace ldm
