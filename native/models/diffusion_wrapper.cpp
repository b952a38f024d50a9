#include "diffusion_wrapper.h"

#include <ATen/ATen.h>

#include "../core/registry.h"

namespace ldm {

DiffusionWrapper::DiffusionWrapper(const Value& unetConfig, ConditioningKey key) : key_(key) {
  unet_ = child("diffusion_model", createFromConfig<DenoisingNetwork>(unetConfig));
  method("forward", [this](const Value& args) -> Value {
    Map cond{
        {"c_concat", args.get("c_concat")}, {"c_crossattn", args.get("c_crossattn")}, {"c_adm", args.get("c_adm")}};
    return Map{{"out", forward(args.tensor("x"), args.tensor("t"), Conditioning::from(cond, key_))}};
  });
}

namespace {

at::Tensor channels(const at::Tensor& x, const Conditioning& cond) {
  if (cond.concat.empty())
    invalid("this model concatenates its conditioning, but got none: pass it, or {c_concat: [...]}");
  std::vector<at::Tensor> parts{x};
  parts.insert(parts.end(), cond.concat.begin(), cond.concat.end());
  return at::cat(parts, 1);
}

const std::vector<at::Tensor>& attended(const Conditioning& cond) {
  if (cond.crossattn.empty())
    invalid("this model needs a conditioning, but got none: pass it, or {c_crossattn: [...]}");
  return cond.crossattn;
}

const at::Tensor& embedded(const Conditioning& cond) {
  if (!cond.adm.defined()) invalid("this model adds labels or vectors to its time embedding: pass them as {c_adm}");
  return cond.adm;
}

}  // namespace

at::Tensor DiffusionWrapper::forward(const at::Tensor& x, const at::Tensor& t, const Conditioning& cond) {
  switch (key_) {
    case ConditioningKey::None:
      return unet_->forward(x, t, {}, {});
    case ConditioningKey::Concat:
      return unet_->forward(channels(x, cond), t, {}, {});
    case ConditioningKey::CrossAttn:
      return unet_->forward(x, t, at::cat(attended(cond), 1), {});
    case ConditioningKey::Hybrid:
      return unet_->forward(channels(x, cond), t, at::cat(attended(cond), 1), {});
    case ConditioningKey::Adm:
      return unet_->forward(x, t, {}, attended(cond).front());
    case ConditioningKey::HybridAdm:
      return unet_->forward(channels(x, cond), t, at::cat(attended(cond), 1), embedded(cond));
    case ConditioningKey::CrossAttnAdm:
      return unet_->forward(x, t, at::cat(attended(cond), 1), embedded(cond));
  }
  invalid("unknown conditioning key");
}

}  // namespace ldm
