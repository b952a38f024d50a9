// Pseudo linear multistep sampling, Liu et al. 2022, https://arxiv.org/abs/2202.09778, as
// ldm.models.diffusion.plms.PLMSSampler samples with it: DDIM's formula (eta 0) with a noise extrapolated from the last
// steps by Adams and Bashforth's coefficients, after a first step by Heun's method.
//
// Departures: those of DDIM (ddim_sampler.h); steps by original timesteps work.
#pragma once

#include <vector>

#include "ddim_sampler.h"

namespace ldm {

/// Params and result as DDIMSampler's; eta must be 0. The first step evaluates the network twice and, as in the
/// reference, draws its noise (of weight 0) twice.
class PLMSSampler : public DDIMSampler {
 public:
  explicit PLMSSampler(const Value& params);

 protected:
  Evaluation nextEvaluation() override;
  bool advance(const at::Tensor& out, const Evaluation& at) override;

 private:
  /// The noise of a step from that of the network, e_t, and those of up to three steps before.
  at::Tensor extrapolate(const at::Tensor& eps) const;
  void remember(const at::Tensor& eps);

  std::vector<at::Tensor> before_;  ///< the network's noise in the last steps, newest last
  at::Tensor firstEps_;             ///< of the first evaluation of the first step, until the second
  at::Tensor trial_;                ///< where the first evaluation of the first step leads
};

}  // namespace ldm
