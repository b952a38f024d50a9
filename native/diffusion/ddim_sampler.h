// Denoising diffusion implicit models, Song et al. 2021, https://arxiv.org/abs/2010.02502, as
// ldm.models.diffusion.ddim.DDIMSampler samples with them; classifier-free guidance of Ho & Salimans 2022,
// https://arxiv.org/abs/2207.12598.
//
// Departures, all where the reference fails: steps that would overflow (see schedule.h), guidance and slicing with
// {c_concat, c_crossattn}, use_original_steps. A model that predicts x0 is sampled as such; the reference treats its
// output as noise, which `output_is_eps` brings back. One that predicts v is sampled as in Stable Diffusion 2.
#pragma once

#include <memory>
#include <vector>

#include "sampler.h"
#include "schedule.h"

namespace ldm {

/// Params besides Sampler's:
/// - S: how many steps; discretize: uniform or quad; eta
/// - timesteps: use only the first so many of the S steps (the reference's subset rule), or null
/// - use_original_steps: all of the model's timesteps instead of S
/// - t_start: begin with this step, counted from the least noisy one (DDIMSampler.decode), or null for all
/// - unconditional_conditioning (null: no guidance) and unconditional_guidance_scale (1: no guidance): a number, or one
///   for each step (ucg_schedule)
/// - output_is_eps: treat the output of a model that predicts x0 as noise
///
/// result{} -> {samples, x_inter, pred_x0}: lists that start with x_T.
class DDIMSampler : public Sampler {
 public:
  explicit DDIMSampler(const Value& params);
  /// x after each logged step, x_T first.
  const std::vector<at::Tensor>& intermediates() const { return xInter_; }

 protected:
  int64_t timestepOf(int64_t index) const override { return timesteps_[static_cast<size_t>(index)]; }
  /// The mask is blended in before the step.
  Evaluation nextEvaluation() override;
  at::Tensor evaluate(const Evaluation& at) override;
  bool advance(const at::Tensor& out, const Evaluation& at) override;
  Value result() const override;

  /// The noise that the network's output stands for.
  at::Tensor epsOf(const at::Tensor& out, const Evaluation& at) const;
  /// x_ and predX0_ of a step by DDIM's formula.
  struct Step {
    at::Tensor x, predX0;
  };
  /// The step from x_ with the noise `eps`. `predX0`: the clean sample where the network tells it, else undefined.
  Step stepWith(const at::Tensor& eps, at::Tensor predX0 = {}) const;
  /// Sets x_ and predX0_ and keeps intermediates.
  void take(const Step& step);

 private:
  /// The coefficients of one step. The reference computes with all of them in float32.
  struct Coefficients {
    float alpha, alphaPrev, sigma, sqrtOneMinusAlpha;
  };
  void plan(const Value& params);
  void readGuidance(const Value& params);

  std::vector<int64_t> timesteps_;
  std::vector<Coefficients> coefficients_;
  Conditioning uncond_;
  std::vector<double> scales_;  ///< guidance of each step, the first step first
  bool outputIsEps_;            ///< the network predicts noise, or is said to
  std::vector<at::Tensor> xInter_, predX0Inter_;
};

}  // namespace ldm
