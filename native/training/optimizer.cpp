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
  AdamOptions options{.lr = group.number("lr"),
                      .beta1 = betas[0],
                      .beta2 = betas[1],
                      .eps = group.number("eps"),
                      .weightDecay = group.number("weight_decay"),
                      .halfFirstMoment = hasHalfFirstMoment(group)};
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

at::Tensor emptyMoment(const at::Tensor& parameter, bool half) {
  const at::ScalarType type = half ? at::kBFloat16 : parameter.scalar_type();
  return at::empty_like(parameter, parameter.options().dtype(type).requires_grad(false));
}

// The fused kernels walk the raw memory of parameter and gradient side by side.
at::Tensor sameLayout(const at::Tensor& gradient, const at::Tensor& parameter) {
  if (gradient.strides() == parameter.strides() && gradient.scalar_type() == parameter.scalar_type()) return gradient;
  return at::empty_like(parameter).copy_(gradient);
}

}  // namespace

bool hasHalfFirstMoment(const Value& args) {
  const std::string type = args.has("firstMoment") ? args.string("firstMoment") : "fp32";
  if (type != "fp32" && type != "bf16") invalid("'firstMoment' must be 'fp32' or 'bf16', but is '" + type + "'");
  return type == "bf16";
}

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
  Operands all;
  for (size_t i = first; i < last; ++i) {
    const auto& parameter = parameters_[i];
    if (!parameter.grad().defined()) continue;
    auto& m = moments_[i];
    if (!m.expAvg.defined())
      m = {stepTensor(0, parameter), emptyMoment(parameter, options_.halfFirstMoment).zero_(),
           emptyMoment(parameter, /*half=*/false).zero_()};
    all.parameters.push_back(parameter);
    all.gradients.push_back(sameLayout(parameter.grad(), parameter));
    all.firstMoments.push_back(m.expAvg);
    all.secondMoments.push_back(m.expAvgSq);
    all.steps.push_back(m.step);
  }
  if (all.parameters.empty()) return;
  if (unfit.defined())
    at::_foreach_add_(all.steps, (1 - unfit).squeeze(0));
  else
    at::_foreach_add_(all.steps, 1);
  if (!options_.halfFirstMoment) return update(all, unfit);
  for (size_t i = 0; i < all.parameters.size(); ++i) updateInParts(all, i, unfit);
}

void Optimizer::update(const Operands& of, const at::Tensor& unfit) const {
  const auto foundInf = unfit.defined() ? std::optional(unfit) : std::nullopt;
  const auto apply = [&](auto&& kernel) {
    kernel(of.parameters, of.gradients, of.firstMoments, of.secondMoments, /*max_exp_avg_sqs=*/at::TensorList(),
           of.steps, options_.lr, options_.beta1, options_.beta2, options_.weightDecay, options_.eps,
           /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/std::nullopt, foundInf);
  };
  if (decoupled_)
    apply([](auto&&... a) { at::_fused_adamw_(a...); });
  else
    apply([](auto&&... a) { at::_fused_adam_(a...); });
}

void Optimizer::updateInParts(const Operands& of, size_t i, const at::Tensor& unfit) const {
  // so many numbers that the widened ones stay in the caches of a processor
  constexpr int64_t kPart = int64_t{1} << 16;
  const int64_t all = of.parameters[i].numel(), part = of.parameters[i].device().is_cpu() ? kPart : all;
  const auto flat = [&](const std::vector<at::Tensor>& list) { return list[i].detach().as_strided({all}, {1}); };
  const at::Tensor p = flat(of.parameters), g = flat(of.gradients), m = flat(of.firstMoments),
                   v = flat(of.secondMoments);
  for (int64_t first = 0; first < all; first += part) {
    const int64_t count = std::min(part, all - first);
    const auto some = [&](const at::Tensor& t) { return t.narrow(0, first, count); };
    const at::Tensor narrow = some(m), wide = narrow.to(p.scalar_type());
    update({{some(p)}, {some(g)}, {wide}, {some(v)}, {of.steps[i]}}, unfit);
    narrow.copy_(wide);
  }
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
  options.halfFirstMoment = options_.halfFirstMoment;

  at::NoGradGuard noGrad;
  std::vector<Moments> loaded(parameters_.size());
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Value& entry = saved.get("state").get(std::to_string(indices[i]));
    if (entry.isNull() || stepCount(entry.get("step")) == 0) continue;
    const auto& parameter = parameters_[i];
    auto moment = [&](const char* name, bool half) {
      const auto& t = entry.tensor(name);
      if (t.sizes() != parameter.sizes())
        invalid("the saved '" + std::string(name) + "' of parameter " + std::to_string(i) +
                " does not have the shape of " + Value(parameter).describe());
      return emptyMoment(parameter, half).copy_(t);
    };
    loaded[i] = {stepTensor(stepCount(entry.get("step")), parameter), moment("exp_avg", options.halfFirstMoment),
                 moment("exp_avg_sq", /*half=*/false)};
  }
  moments_ = std::move(loaded);
  options_ = options;
}

REGISTER("torch.optim.Adam", Adam);
REGISTER("torch.optim.AdamW", AdamW);

}  // namespace ldm
