#include "conditioning.h"

#include <ATen/ATen.h>

namespace ldm {

ConditioningKey parseConditioningKey(const Value& key) {
  if (key.isNull()) return ConditioningKey::None;
  const auto& name = key.asString("conditioning_key");
  if (name == "concat") return ConditioningKey::Concat;
  if (name == "crossattn") return ConditioningKey::CrossAttn;
  if (name == "hybrid") return ConditioningKey::Hybrid;
  if (name == "adm") return ConditioningKey::Adm;
  if (name == "hybrid-adm") return ConditioningKey::HybridAdm;
  if (name == "crossattn-adm") return ConditioningKey::CrossAttnAdm;
  invalid("unknown conditioning_key '" + name +
          "': expected concat, crossattn, hybrid, adm, hybrid-adm, crossattn-adm or null");
}

namespace {

std::vector<at::Tensor> tensorsOf(const Value& value, const char* what) {
  if (value.isNull()) return {};
  if (value.isTensor()) return {value.asTensor()};
  return value.asTensors(what);
}

}  // namespace

Conditioning Conditioning::from(const Value& value, ConditioningKey key) {
  Conditioning out;
  if (value.isNull()) return out;
  if (value.isMap()) {
    for (const auto& [name, entry] : value.asMap()) {
      if (name == "c_concat")
        out.concat = tensorsOf(entry, "c_concat");
      else if (name == "c_crossattn")
        out.crossattn = tensorsOf(entry, "c_crossattn");
      else if (name == "c_adm")
        out.adm = entry.isNull() ? at::Tensor() : entry.asTensor("c_adm");
      else
        invalid("a conditioning holds c_concat, c_crossattn and c_adm, but this one has '" + name + "'");
    }
    return out;
  }
  if (key == ConditioningKey::Hybrid || key == ConditioningKey::HybridAdm || key == ConditioningKey::CrossAttnAdm)
    invalid("this model needs its conditioning by place, as {c_concat, c_crossattn, c_adm}, but got " +
            value.describe());
  (key == ConditioningKey::Concat ? out.concat : out.crossattn) = tensorsOf(value, "conditioning");
  return out;
}

Value Conditioning::toValue() const {
  if (empty()) return {};
  Map out;
  if (!concat.empty()) out.set("c_concat", Value::fromTensors(concat));
  if (!crossattn.empty()) out.set("c_crossattn", Value::fromTensors(crossattn));
  if (adm.defined()) out.set("c_adm", adm);
  return out;
}

Conditioning Conditioning::firstOf(int64_t n) const {
  Conditioning out = *this;
  for (auto* list : {&out.concat, &out.crossattn})
    for (auto& t : *list) t = t.slice(0, 0, n);
  if (out.adm.defined()) out.adm = out.adm.slice(0, 0, n);
  return out;
}

Conditioning Conditioning::stack(const Conditioning& a, const Conditioning& b) {
  if (a.concat.size() != b.concat.size() || a.crossattn.size() != b.crossattn.size() ||
      a.adm.defined() != b.adm.defined())
    invalid(
        "the unconditional conditioning must have the same form as the conditioning (the same entries of c_concat, "
        "c_crossattn and c_adm)");
  Conditioning out;
  for (size_t i = 0; i < a.concat.size(); ++i) out.concat.push_back(at::cat({a.concat[i], b.concat[i]}));
  for (size_t i = 0; i < a.crossattn.size(); ++i) out.crossattn.push_back(at::cat({a.crossattn[i], b.crossattn[i]}));
  if (a.adm.defined()) out.adm = at::cat({a.adm, b.adm});
  return out;
}

}  // namespace ldm
