// Ancestral sampling, Ho et al. 2020, https://arxiv.org/abs/2006.11239, algorithm 2, in the form of
// DDPM.p_sample_loop, LatentDiffusion.p_sample_loop and LatentDiffusion.progressive_denoising.
#pragma once

#include <memory>
#include <vector>

#include "sampler.h"

namespace ldm {

/// p(x_{t-1} | x_t) of a model, and the x0 that it predicts.
struct ReverseMoments {
  NormalMoments x;
  at::Tensor x0;
};

/// p_mean_variance from the network's output at x_t; `clip` clamps the predicted x0 to [-1, 1].
ReverseMoments reverseMoments(Denoiser& model, const at::Tensor& out, const at::Tensor& x, const at::Tensor& t,
                              bool clip, bool quantize);

/// Params besides Sampler's:
/// - timesteps: how many of the model's timesteps, counted from 0, or null for all; start_T: an upper limit for it
/// - clip_denoised: null for the model's own setting
/// - progressive: intermediates are the predicted x0 of the logged steps (progressive_denoising), else x_T and the x of
/// the
///   logged steps (p_sample_loop)
///
/// result{} -> {samples, intermediates}.
class DDPMSampler : public Sampler {
 public:
  explicit DDPMSampler(const Value& params);
  const std::vector<at::Tensor>& intermediates() const { return intermediates_; }

 protected:
  int64_t timestepOf(int64_t index) const override { return index; }
  at::Tensor evaluate(const Evaluation& at) override;
  /// The mask is blended in after the step.
  bool advance(const at::Tensor& out, const Evaluation& at) override;
  Value result() const override;

 private:
  bool clipDenoised_, progressive_;
  std::vector<at::Tensor> intermediates_;
};

}  // namespace ldm
