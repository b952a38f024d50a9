// What all samplers share: a step machine over the timesteps of one sampling run.
//
// A sampler's state lives here; each method call is one job. `step` does one whole step. A caller who wants to change
// the network's output (a score corrector) calls `predict` and `advance` instead. JavaScript either lets the executor
// repeat `step` until it is done, or drives the steps itself.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "../core/object.h"
#include "../core/value.h"
#include "denoiser.h"

namespace ldm {

/// Base of the samplers. Params that all read:
/// - model: the denoiser; shape: [n, c, h, w]
/// - conditioning: null, tensor, list or {c_concat, c_crossattn}
/// - x_T: the start, or null for noise
/// - mask [n or 1, 1 or c, h, w] and x0 (both or neither): where the mask is 1 the sample is held at x0
/// - temperature: a factor on the noise, a number or one per timestep index; noise_dropout: probability
/// - quantize_denoised: replaces each predicted x0 by the nearest codes of the first stage
/// - repeat_noise: the same noise for the whole batch; log_every_t: which intermediates are kept
///
/// Methods: step{tensors} -> {done, step, total, t, x, predX0} (the latter two if `tensors`); predict{} -> {x, t,
/// index, eps, conditioning}; advance{eps, tensors} -> as step; result{} -> {samples, ...intermediates}. `eps` is the
/// network's output: noise, x0 or v.
class Sampler : public Object {
 public:
  /// Draws x_T unless it is given.
  explicit Sampler(const Value& params);

  bool done() const { return index_ < 0; }
  void step();
  /// Runs all steps.
  at::Tensor run();
  const at::Tensor& x() const { return x_; }

 protected:
  /// Sets how many steps there are; called once by the constructor of a derived class.
  void begin(int64_t total);
  /// The model's timestep of the step with this index (total - 1 down to 0).
  virtual int64_t timestepOf(int64_t index) const = 0;
  /// Prepares x for the step (mask) and evaluates the network.
  virtual at::Tensor predict(const at::Tensor& t) = 0;
  /// From the network's output to the next x; sets x_ and predX0_ and keeps intermediates.
  virtual void advance(const at::Tensor& out, const at::Tensor& t) = 0;
  virtual Value result() const = 0;

  /// Noise of the step: randn (one for all with repeat_noise) times `scale` and temperature, with dropout.
  at::Tensor noise(double scale) const;
  /// x0 noised to t where the mask is 1, x elsewhere.
  at::Tensor blend(const at::Tensor& x, const at::Tensor& t) const;
  bool masked() const { return mask_.defined(); }
  /// Whether intermediates of the current step are kept.
  bool logged() const { return index_ % logEveryT_ == 0 || index_ == total_ - 1; }

  std::shared_ptr<Object> owner_;  ///< keeps the model alive
  Denoiser* model_;
  Conditioning cond_;
  at::Tensor x_, predX0_;
  bool quantizeDenoised_;
  int64_t index_ = -1;  ///< of the step to do next
  int64_t total_ = 0;

 private:
  at::Tensor timestepTensor() const;
  void finishStep(const at::Tensor& out);
  Value report(bool tensors) const;

  std::vector<int64_t> shape_;
  at::Tensor mask_, maskX0_;
  std::vector<double> temperature_;
  double noiseDropout_;
  bool repeatNoise_;
  int64_t logEveryT_;
  at::Tensor pending_;  ///< timesteps of a step that predict() began
};

/// Params of a run with nothing special (random start, temperature 1, no mask, the model's log_every_t), for callers in
/// C++ that change what they need. Complete for DDPMSampler; DDIMSampler also wants S and eta.
Map plainSampling(std::shared_ptr<Object> model, const std::vector<int64_t>& shape, const Conditioning& cond);

}  // namespace ldm
