// What all samplers share: a step machine over the timesteps of one sampling run.
//
// A sampler's state lives here; each method call is one job. `step` does one whole step. A caller who wants to change
// the network's output (a score corrector) calls `predict` and `advance` instead. JavaScript either lets the executor
// repeat `step` until it is done, or drives the steps itself.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "../core/device_graph.h"
#include "../core/object.h"
#include "../core/value.h"
#include "denoiser.h"

namespace ldm {

/// A point at which the network is evaluated: samples [n, c, h, w] and their timesteps [n].
struct Evaluation {
  at::Tensor x, t;
};

/// Base of the samplers. Params that all read:
/// - model: the denoiser; shape: [n, c, h, w]
/// - conditioning: null, tensor, list or {c_concat, c_crossattn}
/// - x_T: the start, or null for noise
/// - mask [n or 1, 1 or c, h, w] and x0 (both or neither): where the mask is 1 the sample is held at x0
/// - temperature: a factor on the noise, a number or one per timestep index; noise_dropout: probability
/// - quantize_denoised: replaces each predicted x0 by the nearest codes of the first stage
/// - repeat_noise: the same noise for the whole batch; log_every_t: which intermediates are kept
///
/// Methods: step{tensors} -> {done, complete, step, total, t, x, predX0} (the latter two if `tensors`); predict{} ->
/// {x, t, index, eps, conditioning}; advance{eps, tensors} -> as step, where `complete` is false as long as the step
/// needs another predict and advance; result{} -> {samples, ...intermediates}. `eps` is the network's output: noise, x0
/// or v.
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
  /// Where the network is to be evaluated next: by default x_ at the step's timestep. What has to happen to x before
  /// the step (a mask) happens here.
  virtual Evaluation nextEvaluation() { return {x_, timestepTensor(index_)}; }
  /// The network's output, after guidance.
  virtual at::Tensor evaluate(const Evaluation& at) = 0;
  /// From the network's output to the next x; sets x_ and predX0_ and keeps intermediates. Returns whether the step is
  /// complete: a step may evaluate the network more than once.
  virtual bool advance(const at::Tensor& out, const Evaluation& at) = 0;
  virtual Value result() const = 0;

  /// The network's output without guidance; by a graph where those are wanted.
  at::Tensor applyModel(const at::Tensor& x, const at::Tensor& t, const Conditioning& cond);
  /// Noise of the step: randn (one for all with repeat_noise) times `scale` and temperature, with dropout.
  at::Tensor noise(double scale) const;
  /// x0 noised to t where the mask is 1, x elsewhere.
  at::Tensor blend(const at::Tensor& x, const at::Tensor& t) const;
  bool masked() const { return mask_.defined(); }
  /// The timestep of the step with this index, for the whole batch.
  at::Tensor timestepTensor(int64_t index) const;
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
  bool finish(const at::Tensor& out);
  Value report(bool tensors) const;

  DeviceGraph graph_;
  const bool graphed_;
  std::vector<int64_t> shape_;
  at::Tensor mask_, maskX0_;
  std::vector<double> temperature_;
  double noiseDropout_;
  bool repeatNoise_;
  int64_t logEveryT_;
  Evaluation pending_;  ///< what predict() evaluated and advance() has not used yet
  bool complete_ = true;
};

/// Params of a run with nothing special (random start, temperature 1, no mask, the model's log_every_t), for callers in
/// C++ that change what they need. Complete for DDPMSampler; DDIMSampler also wants S and eta.
Map plainSampling(std::shared_ptr<Object> model, const std::vector<int64_t>& shape, const Conditioning& cond);

}  // namespace ldm
