// The posterior of the KL autoencoder.
// Reference: ldm/modules/distributions/distributions.py; Kingma & Welling, "Auto-Encoding Variational Bayes" (2013).
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "../core/object.h"
#include "../core/value.h"

namespace ldm {

/// A Gaussian with a diagonal covariance, one per image: the encoder's output [b, 2c, h, w] holds the means in its
/// first c channels and the logarithms of the variances, clamped to [-30, 20], in the others.
///
/// Departure: noise is drawn on the device of the parameters; the reference draws on the CPU and moves it.
class DiagonalGaussianDistribution : public Object {
 public:
  explicit DiagonalGaussianDistribution(at::Tensor parameters, bool deterministic = false);
  /// `parameters` and `deterministic`.
  explicit DiagonalGaussianDistribution(const Value& params);

  /// mean + std * randn. Draws even when deterministic, as the reference does.
  at::Tensor sample() const;
  at::Tensor mode() const { return mean; }
  /// KL divergence from a standard normal, or from `other`: [b]; [1] and zero when deterministic.
  at::Tensor kl(const DiagonalGaussianDistribution* other = nullptr) const;
  /// Negative log-likelihood of `sample`, summed over `dims`; [1] and zero when deterministic.
  at::Tensor nll(const at::Tensor& sample, at::IntArrayRef dims) const;

  at::Tensor parameters, mean, logvar, std, var;

 private:
  void announce();
  bool deterministic_;
};

/// KL divergence of two Gaussians elementwise; the arguments broadcast against each other.
at::Tensor normalKl(const at::Tensor& mean1, const at::Tensor& logvar1, const at::Tensor& mean2,
                    const at::Tensor& logvar2);

}  // namespace ldm
