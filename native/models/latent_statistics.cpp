// Mean, spread and histogram of latents that arrive in batches: what `scale_by_std` of the reference
// (LatentDiffusion.on_train_batch_start) takes from the first batch, taken over a whole data set.
#include <ATen/ATen.h>

#include <cmath>

#include "../core/registry.h"

namespace ldm {

namespace {
constexpr int64_t kBins = 161;
/// The histogram spans this many standard deviations of the first batch to each side of zero.
constexpr double kSpan = 8;
}  // namespace

/// Statistics in float64 (Chan et al. 1979), over all elements and for each channel.
class LatentStatistics : public Object {
 public:
  explicit LatentStatistics(const Value&) {
    method("add", [this](const Value& args) -> Value {
      add(args.tensor("z"));
      return Map{{"count", count_}};
    });
    method("state", [this](const Value&) -> Value { return state(); });
  }

 private:
  /// @param z [b, c, ...]
  void add(const at::Tensor& z) {
    if (z.dim() < 3)
      throw LdmError("ERR_INVALID_ARGUMENT", "Expected latents [b, c, ...] but received " + Value(z).describe());
    const at::Tensor x = z.detach().to(at::kCPU, at::kDouble).transpose(0, 1).flatten(1);
    if (!at::isfinite(x).all().item<bool>()) throw LdmError("ERR_NAN", "A latent is not finite.");
    if (count_ == 0) begin(x);
    const double n = static_cast<double>(x.size(1)), before = static_cast<double>(count_);
    const at::Tensor batchMean = x.mean(1);
    const at::Tensor step = batchMean - mean_;
    scatter_ += (x - batchMean.unsqueeze(1)).square().sum(1) + step.square() * (before * n / (before + n));
    mean_ += step * (n / (before + n));
    count_ += x.size(1);
    min_ = at::minimum(min_, x.amin(1));
    max_ = at::maximum(max_, x.amax(1));
    const at::Tensor inside = x.flatten().masked_select(x.flatten().abs() <= range_);
    histogram_ += at::histc(inside, kBins, -range_, range_);
    outside_ += x.numel() - inside.numel();
  }

  void begin(const at::Tensor& x) {
    mean_ = at::zeros({x.size(0)}, at::kDouble);
    scatter_ = at::zeros_like(mean_);
    min_ = at::full_like(mean_, INFINITY);
    max_ = -min_;
    range_ = kSpan * std::max(x.std().item<double>(), 1e-6);
    histogram_ = at::zeros({kBins}, at::kDouble);
  }

  Value state() const {
    if (count_ == 0) throw LdmError("ERR_INVALID_ARGUMENT", "No latents were added.");
    const double perChannel = static_cast<double>(count_);
    const double elements = perChannel * static_cast<double>(mean_.size(0));
    const at::Tensor mean = mean_.mean();
    // All channels have the same number of elements.
    const at::Tensor scatter = scatter_.sum() + perChannel * (mean_ - mean).square().sum();
    return Map{{"elements", static_cast<int64_t>(elements)},
               {"mean", mean.item<double>()},
               {"std", std::sqrt(scatter.item<double>() / (elements - 1))},
               {"channelMean", mean_.clone()},
               {"channelStd", (scatter_ / (perChannel - 1)).sqrt()},
               {"min", min_.min().item<double>()},
               {"max", max_.max().item<double>()},
               {"range", range_},
               {"histogram", histogram_.clone()},
               {"outside", outside_}};
  }

  /// Elements of one channel so far.
  int64_t count_ = 0;
  int64_t outside_ = 0;
  double range_ = 0;
  at::Tensor mean_, scatter_, min_, max_, histogram_;
};

REGISTER("node_ldm.evaluation.LatentStatistics", LatentStatistics);

}  // namespace ldm
