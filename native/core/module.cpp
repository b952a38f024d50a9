#include "module.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <unordered_set>

namespace ldm {

Module::Module() {
  method("train", [this](const Value& args) -> Value {
    train(args.boolean("mode"));
    return {};
  });
  method("isTraining", [this](const Value&) -> Value { return training_; });
  method("requiresGrad", [this](const Value& args) -> Value {
    requiresGrad(args.boolean("on"));
    return {};
  });
  method("submodule", [this](const Value& args) -> Value { return Map{{"module", submodule(args.string("path"))}}; });
  method("compact", [this](const Value& args) -> Value {
    const std::string& dtype = args.string("dtype");
    if (dtype != "float16" && dtype != "bfloat16")
      invalid("'dtype' must be float16 or bfloat16, but is '" + dtype + "'");
    compact(dtype == "float16" ? at::kHalf : at::kBFloat16, args.boolean("keep"));
    return {};
  });
  method("zeroGrad", [this](const Value&) -> Value {
    for (auto& p : parameters()) p.mutable_grad().reset();
    return {};
  });
}

namespace {
// The elementary layers make their weights on the meta device at once; for the rest, which is small, it is enough to
// leave the data here.
at::Tensor placed(const at::Tensor& value) {
  return context().init == InitMode::Meta && value.defined() ? value.to(at::kMeta) : value;
}
}  // namespace

at::Tensor Module::parameter(const std::string& name, at::Tensor value, bool requiresGrad) {
  value = placed(value);
  value.set_requires_grad(requiresGrad);
  parameters_.push_back({name, value, true});
  return value;
}

at::Tensor Module::largeWeight(const std::string& name, at::Tensor value) {
  parameter(name, value);
  parameters_.back().large = true;
  return value;
}

at::Tensor Module::buffer(const std::string& name, at::Tensor value, bool persistent) {
  value = placed(value);
  buffers_.push_back({name, value, persistent});
  return value;
}

void Module::collect(const std::string& prefix, std::vector<Entry>& out) const {
  for (const auto& p : parameters_) out.push_back({prefix + p.name, p.tensor, true});
  for (const auto& b : buffers_)
    if (b.persistent) out.push_back({prefix + b.name, b.tensor, false});
  for (const auto& [name, module] : children_) module->collect(prefix + name + ".", out);
}

std::vector<Module::Entry> Module::state() const {
  std::vector<Entry> out;
  collect("", out);
  return out;
}

std::vector<std::pair<std::string, at::Tensor>> Module::namedParameters() const {
  std::vector<std::pair<std::string, at::Tensor>> out;
  std::unordered_set<c10::TensorImpl*> seen;
  for (auto& entry : state())
    if (entry.isParameter && seen.insert(entry.tensor.unsafeGetTensorImpl()).second)
      out.emplace_back(entry.name, entry.tensor);
  return out;
}

std::vector<at::Tensor> Module::parameters() const {
  std::vector<at::Tensor> out;
  for (auto& [name, tensor] : namedParameters()) out.push_back(tensor);
  return out;
}

void Module::train(bool mode) {
  training_ = mode;
  for (auto& [name, module] : children_) module->train(mode);
}

void Module::requiresGrad(bool on) {
  for (auto& p : parameters()) p.set_requires_grad(on);
}

std::shared_ptr<Module> Module::submodule(const std::string& path) const {
  const size_t dot = path.find('.');
  const std::string head = path.substr(0, dot);
  for (const auto& [name, module] : children_)
    if (name == head) return dot == std::string::npos ? module : module->submodule(path.substr(dot + 1));
  std::string known;
  for (const auto& [name, module] : children_) known += (known.empty() ? "" : ", ") + name;
  invalid("There is no submodule '" + head + "'; known are: " + known);
}

template <class F>
void Module::visit(F&& fn) {
  for (auto& p : parameters_) fn(p.tensor);
  for (auto& b : buffers_) fn(b.tensor);
  for (auto& [name, module] : children_) module->visit(fn);
}

void Module::to(const at::Device& device, c10::optional<at::ScalarType> dtype) {
  at::NoGradGuard guard;
  std::unordered_set<c10::TensorImpl*> seen;
  visit([&](at::Tensor& t) {
    if (!t.defined() || !seen.insert(t.unsafeGetTensorImpl()).second) return;
    auto type = dtype && t.is_floating_point() ? *dtype : t.scalar_type();
    if (t.device() == device && t.scalar_type() == type) return;
    bool grad = t.requires_grad();
    t.mutable_grad().reset();
    t.set_data(t.detach().to(device, type));
    t.set_requires_grad(grad);
  });
  stateChanged();
}

void Module::compact(at::ScalarType dtype, bool keep) {
  at::NoGradGuard guard;
  for (auto& p : parameters_) {
    if (!p.large || p.tensor.scalar_type() == dtype) continue;
    const bool grad = p.tensor.requires_grad();
    p.tensor.mutable_grad().reset();
    p.tensor.set_data(keep ? p.tensor.detach().to(dtype)
                           : at::empty(p.tensor.sizes(), p.tensor.options().dtype(dtype).requires_grad(false)));
    p.tensor.set_requires_grad(grad);
  }
  for (auto& [name, module] : children_) module->compact(dtype, keep);
  stateChanged();
}

at::Tensor widened(const at::Tensor& weight, const at::Tensor& x) {
  const auto type = weight.scalar_type();
  const bool narrow = (type == at::kHalf || type == at::kBFloat16) && x.scalar_type() == at::kFloat;
  return narrow ? weight.to(at::kFloat) : weight;
}

at::Device Module::device() const {
  for (const auto& p : parameters_)
    if (p.tensor.defined()) return p.tensor.device();
  for (const auto& b : buffers_)
    if (b.tensor.defined()) return b.tensor.device();
  for (const auto& [name, module] : children_)
    if (!module->state().empty()) return module->device();
  return at::kCPU;
}

}  // namespace ldm
