#include "deferred_log.h"

#include <ATen/ATen.h>

namespace ldm {

bool defersLog(const Value& args, at::Device device) {
  return !device.is_cpu() && args.boolean("log") && args.has("defer") && args.boolean("defer");
}

Value deferredLog(const Map& log, const std::vector<at::Tensor>& guards) {
  Map known;
  List names;
  std::vector<at::Tensor> values;
  for (const auto& [name, value] : log) {
    if (!value.isTensor()) {
      known.set(name, value);
    } else if (value.asTensor().device().is_cpu()) {
      known.set(name, value.asTensor().item<double>());
    } else {
      names.emplace_back(name);
      values.push_back(value.asTensor().detach().to(at::kFloat).reshape({1}));
    }
  }
  values.insert(values.end(), guards.begin(), guards.end());
  return Map{{"log", std::move(known)}, {"later", Map{{"names", std::move(names)}, {"values", at::cat(values)}}}};
}

}  // namespace ldm
