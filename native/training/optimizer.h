// Adam (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980) and AdamW (Loshchilov & Hutter 2019,
// https://arxiv.org/abs/1711.05101) as torch.optim defines them, on libtorch's fused kernels: one pass over the memory
// of a parameter instead of eight. The fused kernels differ from torch's plain loop by rounding only.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "../core/object.h"
#include "../core/value.h"

namespace ldm {

/// The numbers of a torch.optim parameter group.
struct AdamOptions {
  double lr;
  double beta1, beta2;
  double eps;
  double weightDecay;
  /// Whether first moments are held in bfloat16, in half of their memory; what a step computes with them has the
  /// parameter's format all the same. They follow a new gradient by a tenth or more, which eight significant bits can
  /// express; second moments move by a thousandth and could not follow.
  bool halfFirstMoment = false;
};

/// Whether "firstMoment" of the arguments of configureOptimizers is "bf16"; else it has to be "fp32" or absent.
bool hasHalfFirstMoment(const Value& args);

/// Adam or AdamW over one group of parameters, in the order in which they were given.
///
/// Methods: step{}, zeroGrad{}, setLearningRate{lr}, learningRate{} -> {lr}, state{} -> state, loadState(state).
/// `state` maps one-to-one to torch's `optimizer.state_dict()`:
/// `{state: {"<index>": {step, exp_avg, exp_avg_sq}}, param_groups: [{lr, betas, eps, weight_decay, amsgrad,
/// params}]}`; `step` is a 0-dim float32 tensor, `params` counts from 0. After the first step parameters that never had
/// a gradient (torch: no entry) have step 0 and moments of zeros, which is what torch would begin them with. The other
/// moment tensors are the live ones.
class Optimizer : public Object {
 public:
  /// `decoupled`: AdamW's weight decay (the parameter shrinks by lr * weight_decay) instead of Adam's (added to the
  /// gradient).
  Optimizer(std::vector<at::Tensor> parameters, const AdamOptions& options, bool decoupled);
  /// From {params: [tensors], lr, betas: [b1, b2], eps, weight_decay, firstMoment}.
  Optimizer(const Value& params, bool decoupled);

  /// One update of every parameter that has a gradient.
  /// @param unfit fp32 [1] on the parameters' device: where it is more than 0 nothing changes; undefined: never
  void step(const at::Tensor& unfit = {});
  /// That of one parameter, by its place in `parameters`.
  void step(size_t index);
  /// Drops the gradients (they become undefined, not zero).
  void zeroGrad();
  void setLearningRate(double lr) { options_.lr = lr; }
  double learningRate() const { return options_.lr; }
  const std::vector<at::Tensor>& parameters() const { return parameters_; }

  Value state() const;
  /// Takes over moments, step counts and the group's numbers; tensors are copied to the parameters' device and to the
  /// formats of this optimizer.
  /// Throws ERR_INVALID_ARGUMENT and changes nothing when the number of parameters or a shape differs.
  void loadState(const Value& state);

 private:
  struct Moments {
    at::Tensor step, expAvg, expAvgSq;  ///< undefined until the first gradient
  };
  void step(size_t first, size_t last, const at::Tensor& unfit);
  /// What libtorch's fused kernels compute for all of the lists at once.
  struct Operands {
    std::vector<at::Tensor> parameters, gradients, firstMoments, secondMoments, steps;
  };
  void update(const Operands& operands, const at::Tensor& unfit) const;
  /// update() of the i-th of them, whose first moment is in bfloat16, a part after another on the CPU.
  void updateInParts(const Operands& operands, size_t i, const at::Tensor& unfit) const;

  std::vector<at::Tensor> parameters_;
  std::vector<Moments> moments_;
  AdamOptions options_;
  bool decoupled_;
};

class Adam : public Optimizer {
 public:
  explicit Adam(const Value& params) : Optimizer(params, /*decoupled=*/false) {}
};

class AdamW : public Optimizer {
 public:
  explicit AdamW(const Value& params) : Optimizer(params, /*decoupled=*/true) {}
};

}  // namespace ldm
