// Noise schedules: betas of the forward process and the steps of DDIM.
//
// Follows ldm.modules.diffusionmodules.util (Ho et al. 2020, https://arxiv.org/abs/2006.11239; cosine: Nichol &
// Dhariwal 2021, https://arxiv.org/abs/2102.09672; DDIM: Song et al. 2021, https://arxiv.org/abs/2010.02502).
// Everything is computed in float64, operation for operation as the reference does, so that the float32 buffers of a
// model are the same numbers.
//
// Departure: for some numbers of steps (T=1000: 3, 9, 27, 37, 111, 333, 501 to 1000, ...) the reference's uniform DDIM
// steps reach the index T and it crashes. Here a step beyond the last timestep becomes T - 1, and is left out where T -
// 1 is a step already. All other step lists are the reference's.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ldm {

/// Betas of the forward process, [timesteps] float64.
/// @param name linear (linear in sqrt(beta), as the reference's "linear" is), cosine, sqrt_linear (linear in beta),
/// sqrt or squaredcos_cap_v2 (that of Karlo, in Stable Diffusion 2's unCLIP models)
/// @param cosineS offset of the cosine schedule, 8e-3 in the paper
at::Tensor makeBetaSchedule(const std::string& name, int64_t timesteps, double linearStart, double linearEnd,
                            double cosineS);

/// The timesteps that DDIM visits, ascending, each in [1, modelSteps).
/// @param method uniform or quad
/// @param steps how many are wanted, 1 <= steps <= modelSteps; as in the reference "uniform" may give more (T // (T //
/// S))
std::vector<int64_t> makeDdimTimesteps(const std::string& method, int64_t steps, int64_t modelSteps);

/// The coefficients of DDIM for each of its timesteps, in the reference's precisions.
struct DdimParameters {
  at::Tensor alphas;      ///< float32, alpha_bar of each step
  at::Tensor alphasPrev;  ///< float64, alpha_bar of the step before; the first is alpha_bar[0] (not 1)
  at::Tensor sigmas;      ///< float64, eta times the posterior's standard deviation
};

/// @param alphasCumprod the model's alpha_bar, float32
/// @param eta 0: deterministic DDIM; 1: the variance of ancestral sampling
DdimParameters makeDdimSamplingParameters(const at::Tensor& alphasCumprod, const std::vector<int64_t>& timesteps,
                                          double eta);

/// alpha_bar [n] (float32) at steps t [n] of such a list, for DDIMSampler.stochastic_encode. A t behind the last step
/// counts as the last one (the reference fails: image to image with strength 1).
at::Tensor alphaBarAtSteps(const at::Tensor& alphasCumprod, const std::vector<int64_t>& timesteps, const at::Tensor& t);

}  // namespace ldm
