#include "timestep_embedding.h"

#include <ATen/ATen.h>

#include <cmath>

#include "../core/error.h"

namespace ldm {

namespace {

void requireBatch(const at::Tensor& timesteps) {
  if (timesteps.dim() != 1)
    invalid("Timesteps must have shape [n], but these have " + std::to_string(timesteps.dim()) + " dimensions");
}

}  // namespace

at::Tensor timestepEmbedding(const at::Tensor& timesteps, int64_t dim, double maxPeriod) {
  requireBatch(timesteps);
  const int64_t half = dim / 2;
  // The order of these float32 operations is the reference's: products of t up to 1000 amplify the last bits.
  const at::Tensor frequencies = at::exp(at::arange(half, timesteps.options().dtype(at::kFloat)) *
                                         -std::log(maxPeriod) / static_cast<double>(half));
  const at::Tensor angles = timesteps.to(at::kFloat).unsqueeze(1) * frequencies.unsqueeze(0);
  at::Tensor embedding = at::cat({angles.cos(), angles.sin()}, 1);
  if (dim % 2) embedding = at::constant_pad_nd(embedding, {0, 1});
  return embedding;
}

at::Tensor repeatedTimesteps(const at::Tensor& timesteps, int64_t dim) {
  requireBatch(timesteps);
  return timesteps.unsqueeze(1).repeat({1, dim});
}

}  // namespace ldm
