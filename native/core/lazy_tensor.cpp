#include "lazy_tensor.h"

#include <ATen/ATen.h>

namespace ldm {

std::shared_ptr<LazyTensor> LazyTensor::of(const at::Tensor& tensor) {
  auto lazy = std::make_shared<LazyTensor>();
  lazy->meta =
      at::empty_strided(tensor.sizes(), tensor.strides(), tensor.options().device(at::kMeta).requires_grad(false));
  lazy->device = tensor.device();
  lazy->requiresGrad = tensor.requires_grad();
  lazy->ownBytes = tensor.is_view() ? 0 : static_cast<int64_t>(tensor.nbytes());
  std::promise<at::Tensor> promise;
  lazy->value = promise.get_future().share();
  promise.set_value(tensor);
  return lazy;
}

namespace {

template <class F>
Value mapTensors(const Value& value, const F& fn) {
  if (value.isList()) {
    List out;
    for (const auto& item : value.asList()) out.push_back(mapTensors(item, fn));
    return out;
  }
  if (value.isMap()) {
    Map out;
    for (const auto& [key, item] : value.asMap()) out.set(key, mapTensors(item, fn));
    return out;
  }
  if (value.isObject())
    if (auto pending = std::dynamic_pointer_cast<PendingTensor>(value.asObject())) return fn(*pending->tensor);
  return value;
}

}  // namespace

Value resolved(const Value& value) {
  return mapTensors(value, [](const LazyTensor& lazy) -> Value {
    try {
      return lazy.value.get();
    } catch (const std::future_error&) {
      throw LdmError("ERR_ABORTED", "The computation of a tensor that is needed here was aborted");
    }
  });
}

Value resolvedMeta(const Value& value) {
  return mapTensors(value, [](const LazyTensor& lazy) -> Value { return lazy.meta; });
}

}  // namespace ldm
