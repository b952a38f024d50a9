#include "timestep_embedding.h"

#include <ATen/ATen.h>

#include <cmath>

#include "../core/registry.h"

namespace ldm {

namespace {

void requireBatch(const at::Tensor& timesteps) {
  if (timesteps.dim() != 1)
    invalid("Timesteps must have shape [n], but these have " + std::to_string(timesteps.dim()) + " dimensions");
}

at::Tensor anglesOf(const at::Tensor& timesteps, const at::Tensor& frequencies) {
  return timesteps.to(at::kFloat).unsqueeze(1) * frequencies.unsqueeze(0);
}

at::Tensor padded(const at::Tensor& embedding, int64_t dim) {
  return dim % 2 ? at::constant_pad_nd(embedding, {0, 1}) : embedding;
}

}  // namespace

at::Tensor timestepEmbedding(const at::Tensor& timesteps, int64_t dim, double maxPeriod) {
  requireBatch(timesteps);
  const int64_t half = dim / 2;
  // The order of these float32 operations is the reference's: products of t up to 1000 amplify the last bits.
  const at::Tensor frequencies = at::exp(at::arange(half, timesteps.options().dtype(at::kFloat)) *
                                         -std::log(maxPeriod) / static_cast<double>(half));
  const at::Tensor angles = anglesOf(timesteps, frequencies);
  return padded(at::cat({angles.cos(), angles.sin()}, 1), dim);
}

at::Tensor ddpmTimestepEmbedding(const at::Tensor& timesteps, int64_t dim) {
  requireBatch(timesteps);
  const int64_t half = dim / 2;
  if (half < 2)
    invalid("A timestep embedding of the DDPM kind needs at least 4 columns, but " + std::to_string(dim) +
            " are asked");
  const double step = std::log(10000.) / static_cast<double>(half - 1);
  const at::Tensor frequencies = at::exp(at::arange(half, timesteps.options().dtype(at::kFloat)) * -step);
  const at::Tensor angles = anglesOf(timesteps, frequencies);
  return padded(at::cat({angles.sin(), angles.cos()}, 1), dim);
}

at::Tensor repeatedTimesteps(const at::Tensor& timesteps, int64_t dim) {
  requireBatch(timesteps);
  return timesteps.unsqueeze(1).repeat({1, dim});
}

namespace {

/// The reference's free functions as callable objects: `call` {timesteps, dim, maxPeriod, repeatOnly} -> {embedding}.
class TimestepEmbedding : public Object {
 public:
  explicit TimestepEmbedding(const Value&) {
    method("call", [](const Value& a) -> Value {
      const auto& timesteps = a.tensor("timesteps");
      const int64_t dim = a.integer("dim");
      return Map{{"embedding", a.boolean("repeatOnly") ? repeatedTimesteps(timesteps, dim)
                                                       : timestepEmbedding(timesteps, dim, a.number("maxPeriod"))}};
    });
  }
};

/// `call` {timesteps, dim} -> {embedding}.
class DDPMTimestepEmbedding : public Object {
 public:
  explicit DDPMTimestepEmbedding(const Value&) {
    method("call", [](const Value& a) -> Value {
      return Map{{"embedding", ddpmTimestepEmbedding(a.tensor("timesteps"), a.integer("dim"))}};
    });
  }
};

REGISTER("ldm.modules.diffusionmodules.util.timestep_embedding", TimestepEmbedding);
REGISTER("ldm.modules.diffusionmodules.model.get_timestep_embedding", DDPMTimestepEmbedding);

}  // namespace

}  // namespace ldm
