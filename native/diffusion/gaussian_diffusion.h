// The closed formulas of a Gaussian diffusion: what can be computed from the schedule alone, without a network.
//
// Follows Ho et al. 2020 (https://arxiv.org/abs/2006.11239) in the form of ldm.models.diffusion.ddpm.DDPM: float64
// arithmetic that is rounded to float32 at the end.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "../core/value.h"

namespace ldm {

/// What the network predicts: the noise, the clean sample, or the velocity of Salimans & Ho 2022
/// (https://arxiv.org/abs/2202.00512), sqrt(alpha_bar) * noise - sqrt(1 - alpha_bar) * x_0.
enum class Parameterization { Eps, X0, V };
Parameterization parseParameterization(const std::string& name);

/// Mean, variance and log-variance of a normal distribution; the latter two broadcast over the mean.
struct NormalMoments {
  at::Tensor mean, variance, logVariance;
};

/// a[t], shaped to broadcast over a tensor of `dims` dimensions (the reference's extract_into_tensor).
at::Tensor extract(const at::Tensor& a, const at::Tensor& t, int64_t dims);

/// The buffers of DDPM.register_schedule and the formulas over them. Timesteps t are int64 [n], in [0, timesteps).
class GaussianDiffusion {
 public:
  /// Reads given_betas, beta_schedule, timesteps, linear_start, linear_end, cosine_s, v_posterior and parameterization.
  explicit GaussianDiffusion(const Value& params);

  int64_t timesteps() const { return timesteps_; }
  Parameterization parameterization() const { return parameterization_; }
  /// What a state_dict holds, in the reference's order. Moving these tensors in place moves the formulas along.
  std::vector<std::pair<std::string, at::Tensor>> buffers() const;

  /// q(x_t | x_0): the noisy sample for given noise.
  at::Tensor qSample(const at::Tensor& x0, const at::Tensor& t, const at::Tensor& noise) const;
  /// The noisy sample at steps t [n] of DDIM's list of timesteps (DDIMSampler.stochastic_encode).
  at::Tensor qSampleAtSteps(const at::Tensor& x0, const at::Tensor& t, const std::vector<int64_t>& timesteps,
                            const at::Tensor& noise) const;
  /// q(x_t | x_0)
  NormalMoments qMeanVariance(const at::Tensor& x0, const at::Tensor& t) const;
  /// q(x_{t-1} | x_t, x_0); the log-variance is clipped because the variance is 0 at t = 0.
  NormalMoments qPosterior(const at::Tensor& x0, const at::Tensor& xt, const at::Tensor& t) const;
  at::Tensor predictStartFromNoise(const at::Tensor& xt, const at::Tensor& t, const at::Tensor& noise) const;
  at::Tensor predictEpsFromStart(const at::Tensor& xt, const at::Tensor& t, const at::Tensor& x0) const;
  /// The velocity at t, [n, ...].
  at::Tensor getV(const at::Tensor& x0, const at::Tensor& noise, const at::Tensor& t) const;
  at::Tensor predictStartFromV(const at::Tensor& xt, const at::Tensor& t, const at::Tensor& v) const;
  at::Tensor predictEpsFromV(const at::Tensor& xt, const at::Tensor& t, const at::Tensor& v) const;
  /// The clean sample that the network's output at x_t stands for, whatever it predicts.
  at::Tensor startOf(const at::Tensor& xt, const at::Tensor& t, const at::Tensor& out) const;
  /// The noise that the network's output at x_t stands for, whatever it predicts.
  at::Tensor epsOf(const at::Tensor& xt, const at::Tensor& t, const at::Tensor& out) const;
  /// What the network's output is trained to be.
  at::Tensor targetOf(const at::Tensor& x0, const at::Tensor& noise, const at::Tensor& t) const;
  /// The prior term of the variational bound in bits per dimension, [n].
  at::Tensor priorBpd(const at::Tensor& x0) const;

  at::Tensor betas, alphasCumprod, alphasCumprodPrev, sqrtAlphasCumprod, sqrtOneMinusAlphasCumprod,
      logOneMinusAlphasCumprod, sqrtRecipAlphasCumprod, sqrtRecipm1AlphasCumprod, posteriorVariance,
      posteriorLogVarianceClipped, posteriorMeanCoef1, posteriorMeanCoef2;
  /// Weights of the variational bound over the simple loss; not in the state_dict.
  at::Tensor lvlbWeights;

 private:
  int64_t timesteps_ = 0;
  Parameterization parameterization_;
};

}  // namespace ldm
