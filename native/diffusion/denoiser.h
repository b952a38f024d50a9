// What a sampler needs of a model. DDPM and LatentDiffusion are denoisers.
#pragma once

#include <ATen/core/Tensor.h>

#include "conditioning.h"
#include "gaussian_diffusion.h"

namespace ldm {

class Denoiser {
 public:
  virtual ~Denoiser() = default;

  virtual const GaussianDiffusion& diffusion() const = 0;
  virtual ConditioningKey conditioningKey() const = 0;
  /// The network's output (noise, x0 or v, as diffusion().parameterization() says) for x_t [n, c, h, w] at t [n].
  virtual at::Tensor applyModel(const at::Tensor& x, const at::Tensor& t, const Conditioning& cond) = 0;
  /// The nearest codes of the first stage.
  virtual at::Tensor quantizeLatent(const at::Tensor& x) = 0;
  /// The conditioning at timestep t: noised where the model was trained so (shorten_cond_schedule), else unchanged.
  virtual Conditioning conditioningAt(const Conditioning& cond, const at::Tensor& t) = 0;
  /// Whether ancestral sampling clamps predicted clean samples to [-1, 1].
  virtual bool clipDenoised() const = 0;
  /// Every how many timesteps intermediates are kept.
  virtual int64_t logEveryT() const = 0;
};

}  // namespace ldm
