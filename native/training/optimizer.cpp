#include "optimizer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <utility>

#include "../core/registry.h"

namespace ldm {

namespace {

AdamOptions optionsFrom(const Value& group) {
  auto betas = group.numbers("betas");
  if (betas.size() != 2)
    invalid("'betas' must hold two numbers in [0, 1), but holds " + std::to_string(betas.size()) +
            "; torch's default is [0.9, 0.999]");
  AdamOptions options{group.number("lr"), betas[0], betas[1], group.number("eps"), group.number("weight_decay")};
  for (double beta : betas)
    if (!(beta >= 0 && beta < 1)) invalid("each of 'betas' must lie in [0, 1), but one is " + std::to_string(beta));
  if (!(options.lr >= 0)) invalid("the learning rate must not be negative, but is " + std::to_string(options.lr));
  if (!(options.eps >= 0)) invalid("'eps' must not be negative, but is " + std::to_string(options.eps));
  if (!(options.weightDecay >= 0))
    invalid("'weight_decay' must not be negative, but is " + std::to_string(options.weightDecay));
  return options;
}

// torch >= 1.12 stores `step` as a tensor, older versions as an integer.
double stepCount(const Value& step) { return step.isTensor() ? step.asTensor().item<double>() : step.asNumber("step"); }

at::Tensor stepTensor(double count, const at::Tensor& parameter) {
  // The fused CUDA kernel reads the counts on the device.
  return at::full({}, count, parameter.options().dtype(at::kFloat).requires_grad(false));
}

// The fused kernels walk the raw memory of parameter and gradient side by side.
at::Tensor sameLayout(const at::Tensor& gradient, const at::Tensor& parameter) {
  if (gradient.strides() == parameter.strides() && gradient.scalar_type() == parameter.scalar_type()) return gradient;
  return at::empty_like(parameter).copy_(gradient);
}

}  // namespace

Optimizer::Optimizer(std::vector<at::Tensor> parameters, const AdamOptions& options, bool decoupled)
    : parameters_(std::move(parameters)), moments_(parameters_.size()), options_(options), decoupled_(decoupled) {
  if (parameters_.empty()) invalid("an optimizer needs at least one parameter, but 'params' is empty");
  method("step", [this](const Value&) -> Value {
    step();
    return {};
  });
  method("zeroGrad", [this](const Value&) -> Value {
    zeroGrad();
    return {};
  });
  method("setLearningRate", [this](const Value& args) -> Value {
    setLearningRate(args.number("lr"));
    return {};
  });
  method("learningRate", [this](const Value&) -> Value { return Map{{"lr", learningRate()}}; });
  method("state", [this](const Value&) -> Value { return state(); });
  method("loadState", [this](const Value& args) -> Value {
    loadState(args);
    return {};
  });
}

Optimizer::Optimizer(const Value& params, bool decoupled)
    : Optimizer(params.tensors("params"), optionsFrom(params), decoupled) {}

void Optimizer::step(const at::Tensor& unfit) { step(0, parameters_.size(), unfit); }
void Optimizer::step(size_t index) { step(index, index + 1, {}); }

void Optimizer::step(size_t first, size_t last, const at::Tensor& unfit) {
  at::NoGradGuard noGrad;
  std::vector<at::Tensor> params, grads, expAvgs, expAvgSqs, steps;
  for (size_t i = first; i < last; ++i) {
    const auto& parameter = parameters_[i];
    if (!parameter.grad().defined()) continue;
    auto& m = moments_[i];
    if (!m.expAvg.defined()) {
      m.step = stepTensor(0, parameter);
      m.expAvg = at::zeros_like(parameter, parameter.options().requires_grad(false));
      m.expAvgSq = at::zeros_like(parameter, parameter.options().requires_grad(false));
    }
    params.push_back(parameter);
    grads.push_back(sameLayout(parameter.grad(), parameter));
    expAvgs.push_back(m.expAvg);
    expAvgSqs.push_back(m.expAvgSq);
    steps.push_back(m.step);
  }
  if (params.empty()) return;
  if (unfit.defined())
    at::_foreach_add_(steps, (1 - unfit).squeeze(0));
  else
    at::_foreach_add_(steps, 1);
  const auto foundInf = unfit.defined() ? std::optional(unfit) : std::nullopt;
  auto update = [&](auto&& kernel) {
    kernel(params, grads, expAvgs, expAvgSqs, /*max_exp_avg_sqs=*/at::TensorList(), steps, options_.lr, options_.beta1,
           options_.beta2, options_.weightDecay, options_.eps, /*amsgrad=*/false, /*maximize=*/false,
           /*grad_scale=*/std::nullopt, foundInf);
  };
  if (decoupled_)
    update([](auto&&... a) { at::_fused_adamw_(a...); });
  else
    update([](auto&&... a) { at::_fused_adam_(a...); });
}

void Optimizer::zeroGrad() {
  for (auto& p : parameters_) p.mutable_grad().reset();
}

Value Optimizer::state() const {
  Map state;
  std::vector<int64_t> indices;
  const bool begun = std::any_of(moments_.begin(), moments_.end(), [](const Moments& m) { return m.expAvg.defined(); });
  for (size_t i = 0; i < parameters_.size(); ++i) {
    indices.push_back(static_cast<int64_t>(i));
    auto m = moments_[i];
    if (!m.expAvg.defined()) {
      if (!begun) continue;
      const auto none = at::zeros({1}, parameters_[i].options().requires_grad(false)).expand(parameters_[i].sizes());
      m = {stepTensor(0, parameters_[i]), none, none};
    }
    state.set(std::to_string(i), Map{{"step", m.step.cpu()}, {"exp_avg", m.expAvg}, {"exp_avg_sq", m.expAvgSq}});
  }
  Map group{{"lr", options_.lr},   {"betas", List{options_.beta1, options_.beta2}},
            {"eps", options_.eps}, {"weight_decay", options_.weightDecay},
            {"amsgrad", false},    {"params", Value::fromInts(indices)}};
  return Map{{"state", std::move(state)}, {"param_groups", List{std::move(group)}}};
}

void Optimizer::loadState(const Value& saved) {
  const List& groups = saved.get("param_groups").asList("param_groups");
  if (groups.size() != 1)
    invalid("the optimizer has one parameter group, but the saved state has " + std::to_string(groups.size()));
  const Value& group = groups[0];
  if (group.has("amsgrad") && group.boolean("amsgrad")) invalid("a saved state with amsgrad=true cannot be continued");
  auto indices = group.ints("params");
  if (indices.size() != parameters_.size())
    invalid("the optimizer has " + std::to_string(parameters_.size()) + " parameters, but the saved state has " +
            std::to_string(indices.size()) + "; resume with the config that the checkpoint was trained with");
  AdamOptions options = optionsFrom(group);

  at::NoGradGuard noGrad;
  std::vector<Moments> loaded(parameters_.size());
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Value& entry = saved.get("state").get(std::to_string(indices[i]));
    if (entry.isNull() || stepCount(entry.get("step")) == 0) continue;
    const auto& parameter = parameters_[i];
    auto moment = [&](const char* name) {
      const auto& t = entry.tensor(name);
      if (t.sizes() != parameter.sizes())
        invalid("the saved '" + std::string(name) + "' of parameter " + std::to_string(i) +
                " does not have the shape of " + Value(parameter).describe());
      return at::empty_like(parameter, parameter.options().requires_grad(false)).copy_(t);
    };
    loaded[i] = {stepTensor(stepCount(entry.get("step")), parameter), moment("exp_avg"), moment("exp_avg_sq")};
  }
  moments_ = std::move(loaded);
  options_ = options;
}

REGISTER("torch.optim.Adam", Adam);
REGISTER("torch.optim.AdamW", AdamW);

}  // namespace ldm
