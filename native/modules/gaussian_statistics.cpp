// Mean and covariance of vectors that arrive in batches, and the Fréchet distance of the Gaussians with these (Fréchet
// 1957; Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017).
#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "../core/context.h"
#include "../core/registry.h"

namespace ldm {

namespace {

/// Eigenvalues with those that are rounding noise set to zero: their roots would be much larger noise.
at::Tensor withoutNoise(const at::Tensor& values) {
  const double noise =
      values.max().item<double>() * static_cast<double>(values.size(0)) * std::numeric_limits<double>::epsilon();
  return at::where(values > noise, values, at::zeros_like(values));
}

/// A factor L with L L^T = matrix, by Cholesky; undefined where the matrix is singular.
at::Tensor choleskyFactor(const at::Tensor& matrix) {
  auto [factor, info] = at::linalg_cholesky_ex(matrix);
  return info.item<int>() == 0 ? factor : at::Tensor();
}

/// The same of any positive semidefinite matrix, by its eigenvectors: several times slower.
at::Tensor eigenFactor(const at::Tensor& matrix) {
  auto [values, vectors] = at::linalg_eigh(matrix);
  return vectors * withoutNoise(values).sqrt();
}

/// tr((a b)^(1/2)) for positive semidefinite a and b. With a = L L^T, a b has the eigenvalues of L^T b L, which is
/// symmetric: no root of a matrix that is not symmetric, no complex numbers, no offset on the diagonal.
double traceOfRoot(const at::Tensor& a, const at::Tensor& b) {
  at::Tensor factor = choleskyFactor(a);
  at::Tensor other = b;
  if (!factor.defined()) {
    factor = choleskyFactor(b);
    other = a;
  }
  if (!factor.defined()) factor = eigenFactor(b);
  poll();
  const at::Tensor product = factor.t().matmul(other).matmul(factor);
  poll();
  return withoutNoise(at::linalg_eigvalsh((product + product.t()) / 2)).sqrt().sum().item<double>();
}

}  // namespace

/// Statistics in float64, updated batch by batch as Chan et al. 1979 ("Updating formulae ... of sample variances"), so
/// that nothing is lost to cancellation and no feature need be kept.
class GaussianStatistics : public Object {
 public:
  /// `dims`: length of the vectors. `count`, `mean` [dims] and `covariance` [dims, dims]: to begin with known
  /// statistics.
  explicit GaussianStatistics(const Value& params) {
    const int64_t dims = params.integer("dims");
    mean_ = at::zeros({dims}, at::kDouble);
    scatter_ = at::zeros({dims, dims}, at::kDouble);
    if (params.has("mean")) restore(params);
    method("add", [this](const Value& args) -> Value {
      add(args.tensor("vectors"));
      return Map{{"count", count_}};
    });
    method("state", [this](const Value&) -> Value {
      return Map{{"count", count_}, {"mean", mean_.clone()}, {"covariance", covariance()}};
    });
    method("frechetDistance", [this](const Value& args) -> Value {
      return Map{{"value", frechetDistance(*args.object<GaussianStatistics>("other"))}};
    });
  }

  /// @param vectors [n, dims] of any floating type
  void add(const at::Tensor& vectors) {
    if (vectors.dim() != 2 || vectors.size(1) != mean_.size(0))
      throw LdmError("ERR_INVALID_ARGUMENT", "Expected vectors [n, " + std::to_string(mean_.size(0)) +
                                                 "] but received " + Value(vectors).describe());
    const int64_t n = vectors.size(0);
    if (n == 0) return;
    const at::Tensor x = vectors.detach().to(at::kCPU, at::kDouble);
    if (!at::isfinite(x).all().item<bool>())
      throw LdmError("ERR_NAN", "A feature is not finite: are these the weights of the network?");
    const at::Tensor batchMean = x.mean(0);
    const at::Tensor centred = x - batchMean;
    const at::Tensor step = batchMean - mean_;
    const double total = static_cast<double>(count_ + n);
    const double weight = static_cast<double>(count_) * static_cast<double>(n) / total;
    scatter_ += centred.t().matmul(centred) + weight * step.outer(step);
    mean_ += step * (static_cast<double>(n) / total);
    count_ += n;
  }

  /// |m1 - m2|^2 + tr(C1) + tr(C2) - 2 tr((C1 C2)^(1/2))
  double frechetDistance(const GaussianStatistics& other) const {
    if (mean_.size(0) != other.mean_.size(0))
      throw LdmError("ERR_INVALID_ARGUMENT", "The statistics are of vectors of different lengths");
    const at::Tensor a = covariance();
    const at::Tensor b = other.covariance();
    const at::Tensor between = (mean_ - other.mean_).square().sum();
    return (between + a.trace() + b.trace()).item<double>() - 2 * traceOfRoot(a, b);
  }

 private:
  void restore(const Value& params) {
    count_ = params.integer("count");
    mean_.copy_(params.tensor("mean"));
    scatter_ = params.tensor("covariance").to(at::kCPU, at::kDouble) * static_cast<double>(count_ - 1);
    if (scatter_.dim() != 2 || scatter_.size(0) != mean_.size(0) || scatter_.size(1) != mean_.size(0))
      throw LdmError("ERR_INVALID_ARGUMENT", "Expected a covariance as long and as wide as the mean");
  }

  /// As numpy.cov: divided by n - 1.
  at::Tensor covariance() const {
    if (count_ < 2) throw LdmError("ERR_INVALID_ARGUMENT", "A covariance needs two or more vectors");
    return scatter_ / static_cast<double>(count_ - 1);
  }

  int64_t count_ = 0;
  at::Tensor mean_;
  /// Sum of the outer products of the deviations from the mean.
  at::Tensor scatter_;
};

REGISTER("node_ldm.evaluation.GaussianStatistics", GaussianStatistics);

}  // namespace ldm
