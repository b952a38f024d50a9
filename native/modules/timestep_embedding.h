// Sinusoidal embeddings of timesteps: timestep_embedding of ldm.modules.diffusionmodules.util (the U-Nets of latent
// diffusion) and get_timestep_embedding of ldm.modules.diffusionmodules.model (the U-Net of the DDPM paper).
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// Cosines, then sines, of t at `dim / 2` frequencies that fall geometrically from 1 to 1 / maxPeriod (exclusive); an
/// odd `dim` gets a last column of zeros.
/// @param timesteps [n], integer or fractional
/// @return [n, dim] float32
at::Tensor timestepEmbedding(const at::Tensor& timesteps, int64_t dim, double maxPeriod = 10000);

/// Sines, then cosines, at `dim / 2` frequencies that fall from 1 to 1 / 10000 (inclusive); an odd `dim` gets a last
/// column of zeros. @param dim at least 4
at::Tensor ddpmTimestepEmbedding(const at::Tensor& timesteps, int64_t dim);

/// The reference's `repeat_only`: t itself in each of `dim` columns, in its own dtype.
at::Tensor repeatedTimesteps(const at::Tensor& timesteps, int64_t dim);

}  // namespace ldm
