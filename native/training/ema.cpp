#include "ema.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <unordered_set>

#include "../core/registry.h"

namespace ldm {

namespace {

NamedParameters parametersFrom(const Value& args) {
  if (args.has("model")) return args.object<Module>("model")->namedParameters();
  NamedParameters out;
  for (const auto& [name, tensor] : args.get("parameters").asMap("parameters"))
    out.emplace_back(name, tensor.asTensor());
  return out;
}

}  // namespace

LitEma::LitEma(const NamedParameters& parameters, double decay, bool useNumUpdates) {
  if (!(decay >= 0 && decay <= 1)) invalid("the decay must lie between 0 and 1, but is " + std::to_string(decay));
  decay_ = buffer("decay", at::full({}, decay, at::kFloat));
  numUpdates_ = buffer("num_updates", at::full({}, useNumUpdates ? 0 : -1, at::kInt));
  std::unordered_set<std::string> taken{"decay", "num_updates"};
  for (const auto& [name, p] : parameters) {
    if (!p.requires_grad()) continue;
    std::string shadow = name;
    shadow.erase(std::remove(shadow.begin(), shadow.end(), '.'), shadow.end());
    if (!taken.insert(shadow).second)
      invalid("the parameter '" + name + "' cannot have a moving average: another one is called '" + shadow +
              "' already");
    names_.push_back(name);
    shadows_.push_back(buffer(shadow, p.detach().clone()));
  }
  method("update", [this](const Value& args) -> Value {
    update(parametersFrom(args));
    return {};
  });
  method("copyTo", [this](const Value& args) -> Value {
    copyTo(parametersFrom(args));
    return {};
  });
  method("store", [this](const Value& args) -> Value {
    store(parametersFrom(args));
    return {};
  });
  method("restore", [this](const Value& args) -> Value {
    restore(parametersFrom(args));
    return {};
  });
}

LitEma::LitEma(const Value& params)
    : LitEma(parametersFrom(params), params.number("decay"), params.boolean("use_num_upates")) {}

std::vector<at::Tensor> LitEma::trainable(const NamedParameters& parameters) const {
  std::vector<at::Tensor> out;
  for (const auto& [name, p] : parameters) {
    if (!p.requires_grad()) continue;
    if (out.size() == names_.size() || names_[out.size()] != name)
      invalid("the model has a trainable parameter '" + name + "' that the moving average was not built for");
    out.push_back(p.detach());
  }
  if (out.size() != names_.size())
    invalid("the model's parameter '" + names_[out.size()] + "' has a moving average but is missing or frozen");
  return out;
}

void LitEma::update(const NamedParameters& parameters) {
  at::NoGradGuard noGrad;
  auto current = trainable(parameters);
  // Reading them waits for the device, so that is done only when somebody else has written.
  if (known_.writes != writes()) known_ = {decay_.item<float>(), numUpdates_.item<int>(), 0};
  // In float32, as the reference's 0-dim tensors are.
  float decay = known_.decay;
  if (known_.updates >= 0) {
    numUpdates_.add_(1);
    const int n = ++known_.updates;
    decay = std::min(decay, static_cast<float>(1 + n) / static_cast<float>(10 + n));
  }
  known_.writes = writes();
  if (!shadows_.empty()) at::_foreach_lerp_(shadows_, current, 1.0f - decay);
}

void LitEma::copyTo(const NamedParameters& parameters) const {
  at::NoGradGuard noGrad;
  auto current = trainable(parameters);
  for (size_t i = 0; i < current.size(); ++i) current[i].copy_(shadows_[i]);
}

void LitEma::reset(const NamedParameters& parameters) {
  at::NoGradGuard noGrad;
  const auto values = trainable(parameters);
  for (size_t i = 0; i < values.size(); ++i) shadows_[i].copy_(values[i]);
  resetNumUpdates();
}

void LitEma::resetNumUpdates() { numUpdates_.fill_(0); }

int64_t LitEma::writes() const {
  return static_cast<int64_t>(decay_._version()) + static_cast<int64_t>(numUpdates_._version());
}

void LitEma::store(const NamedParameters& parameters) {
  at::NoGradGuard noGrad;
  stored_.clear();
  for (const auto& [name, p] : parameters) stored_.push_back(p.detach().clone());
}

void LitEma::restore(const NamedParameters& parameters) {
  at::NoGradGuard noGrad;
  if (stored_.size() != parameters.size())
    invalid("restore() needs the " + std::to_string(parameters.size()) +
            " parameters that store() keeps, but it holds " + std::to_string(stored_.size()) + "; call store() first");
  for (size_t i = 0; i < stored_.size(); ++i) parameters[i].second.detach().copy_(stored_[i]);
  stored_.clear();
}

void LitEma::enter(const NamedParameters& parameters) {
  if (depth_++ > 0) return;
  store(parameters);
  copyTo(parameters);
}

void LitEma::exit(const NamedParameters& parameters) {
  if (depth_ == 0 || --depth_ > 0) return;
  restore(parameters);
}

void LitEma::requireOut() const {
  if (depth_ > 0) invalid("the averaged weights are in use; leave the EMA scope before training");
}

REGISTER("ldm.modules.ema.LitEma", LitEma);

}  // namespace ldm
