#include "distributions.h"

#include <ATen/ATen.h>

#include <cmath>

#include "../core/random.h"
#include "../core/registry.h"

namespace ldm {

namespace {
const double kLogTwoPi = std::log(2.0 * std::acos(-1.0));
}

DiagonalGaussianDistribution::DiagonalGaussianDistribution(at::Tensor moments, bool deterministic)
    : parameters(std::move(moments)), deterministic_(deterministic) {
  if (parameters.dim() != 4 || parameters.size(1) % 2)
    invalid("A diagonal Gaussian needs parameters of shape [batch, 2 * channels, height, width] but received " +
            Value(parameters).describe());
  auto halves = parameters.chunk(2, 1);
  mean = halves[0];
  logvar = halves[1].clamp(-30.0, 20.0);
  if (deterministic_) {
    std = var = at::zeros_like(mean);
  } else {
    std = at::exp(0.5 * logvar);
    var = at::exp(logvar);
  }
  announce();
}

DiagonalGaussianDistribution::DiagonalGaussianDistribution(const Value& params)
    : DiagonalGaussianDistribution(params.tensor("parameters"), params.boolean("deterministic")) {}

void DiagonalGaussianDistribution::announce() {
  method("sample", [this](const Value&) -> Value { return Map{{"z", sample()}}; });
  method("mode", [this](const Value&) -> Value { return Map{{"z", mode()}}; });
  method("kl", [this](const Value& args) -> Value {
    if (!args.has("other")) return Map{{"kl", kl()}};
    auto other = args.object<DiagonalGaussianDistribution>("other");
    return Map{{"kl", kl(other.get())}};
  });
  method("nll", [this](const Value& args) -> Value {
    return Map{{"nll", nll(args.tensor("sample"), args.ints("dims"))}};
  });
  method("fields", [this](const Value&) -> Value {
    return Map{{"mean", mean}, {"logvar", logvar}, {"std", std}, {"var", var}, {"parameters", parameters}};
  });
}

at::Tensor DiagonalGaussianDistribution::sample() const { return mean + std * randnLike(mean); }

at::Tensor DiagonalGaussianDistribution::kl(const DiagonalGaussianDistribution* other) const {
  if (deterministic_) return at::zeros({1}, mean.options());
  at::Tensor terms = other ? (mean - other->mean).pow(2) / other->var + var / other->var - 1.0 - logvar + other->logvar
                           : mean.pow(2) + var - 1.0 - logvar;
  return 0.5 * terms.sum({1, 2, 3});
}

at::Tensor DiagonalGaussianDistribution::nll(const at::Tensor& sample, at::IntArrayRef dims) const {
  if (deterministic_) return at::zeros({1}, mean.options());
  return 0.5 * (kLogTwoPi + logvar + (sample - mean).pow(2) / var).sum(dims);
}

at::Tensor normalKl(const at::Tensor& mean1, const at::Tensor& logvar1, const at::Tensor& mean2,
                    const at::Tensor& logvar2) {
  return 0.5 * (-1.0 + logvar2 - logvar1 + at::exp(logvar1 - logvar2) + (mean1 - mean2).pow(2) * at::exp(-logvar2));
}

namespace {

/// The reference's free function as a callable object: `call` {mean1, logvar1, mean2, logvar2} -> {kl}.
class NormalKl : public Object {
 public:
  explicit NormalKl(const Value&) {
    method("call", [](const Value& args) -> Value {
      return Map{
          {"kl", normalKl(args.tensor("mean1"), args.tensor("logvar1"), args.tensor("mean2"), args.tensor("logvar2"))}};
    });
  }
};

}  // namespace

REGISTER("ldm.modules.distributions.distributions.DiagonalGaussianDistribution", DiagonalGaussianDistribution);
REGISTER("ldm.modules.distributions.distributions.normal_kl", NormalKl);

}  // namespace ldm
