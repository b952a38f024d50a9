#include "convert.h"

#include <cmath>

#include "environment.h"
#include "handles.h"

namespace ldm {

namespace {

// Deeper than any config or argument; a cyclic object would otherwise exhaust the stack.
constexpr int kMaxDepth = 64;

Value convert(const Napi::Value& value, int depth) {
  if (depth > kMaxDepth) invalid("The value is nested deeper than " + std::to_string(kMaxDepth) + " levels, or cyclic");
  switch (value.Type()) {
    case napi_undefined:
    case napi_null:
      return {};
    case napi_boolean:
      return value.As<Napi::Boolean>().Value();
    case napi_number: {
      double d = value.As<Napi::Number>().DoubleValue();
      if (std::trunc(d) == d && std::fabs(d) <= 9007199254740992.0) return static_cast<int64_t>(d);
      return d;
    }
    case napi_bigint: {
      bool lossless = false;
      int64_t i = value.As<Napi::BigInt>().Int64Value(&lossless);
      if (!lossless) {
        uint64_t u = value.As<Napi::BigInt>().Uint64Value(&lossless);
        if (!lossless) invalid("A bigint does not fit in 64 bits");
        i = static_cast<int64_t>(u);
      }
      return i;
    }
    case napi_string:
      return value.As<Napi::String>().Utf8Value();
    case napi_object:
      break;
    default:
      invalid("Expected plain data, tensors or native objects but received a function, symbol or external");
  }
  if (TensorHandle::is(value)) return std::make_shared<PendingTensor>(TensorHandle::get(value));
  if (ObjectHandle::is(value)) return ObjectHandle::get(value).object;
  if (value.IsArray()) {
    Napi::Array array = value.As<Napi::Array>();
    List list;
    list.reserve(array.Length());
    for (uint32_t i = 0; i < array.Length(); ++i) {
      Napi::HandleScope scope(value.Env());
      list.push_back(convert(array.Get(i), depth + 1));
    }
    return list;
  }
  if (value.IsTypedArray()) invalid("Expected plain data or tensors but received a typed array; use Tensor.from");
  Napi::Object object = value.As<Napi::Object>();
  Napi::Array keys = object.GetPropertyNames();
  Map map;
  for (uint32_t i = 0; i < keys.Length(); ++i) {
    Napi::HandleScope scope(value.Env());
    Napi::Value key = keys.Get(i);
    map.set(key.As<Napi::String>().Utf8Value(), convert(object.Get(key), depth + 1));
  }
  return map;
}

}  // namespace

Value fromJs(const Napi::Value& value) { return convert(value, 0); }

Napi::Value toJs(Napi::Env env, const Value& value, const at::Device& device) {
  if (value.isNull()) return env.Null();
  if (value.isBool()) return Napi::Boolean::New(env, value.asBool());
  if (value.isInteger()) {
    int64_t i = value.asInteger();
    if (std::llabs(i) > 9007199254740991LL) return Napi::BigInt::New(env, i);
    return Napi::Number::New(env, static_cast<double>(i));
  }
  if (value.isNumber()) return Napi::Number::New(env, value.asNumber());
  if (value.isString()) return Napi::String::New(env, value.asString());
  if (value.isTensor()) return TensorHandle::make(env, LazyTensor::of(value.asTensor()));
  if (value.isObject()) return ObjectHandle::make(env, {value.asObject(), "", device, 0});
  if (value.isList()) {
    const List& list = value.asList();
    Napi::Array array = Napi::Array::New(env, list.size());
    for (size_t i = 0; i < list.size(); ++i) {
      Napi::HandleScope scope(env);
      array.Set(static_cast<uint32_t>(i), toJs(env, list[i], device));
    }
    return array;
  }
  Napi::Object object = Napi::Object::New(env);
  for (const auto& [key, item] : value.asMap()) {
    Napi::HandleScope scope(env);
    object.Set(key, toJs(env, item, device));
  }
  return object;
}

namespace {

template <class F>
void forEachPending(const Value& value, const F& fn) {
  if (value.isList()) {
    for (const auto& item : value.asList()) forEachPending(item, fn);
  } else if (value.isMap()) {
    for (const auto& [key, item] : value.asMap()) forEachPending(item, fn);
  } else if (value.isObject()) {
    if (auto pending = std::dynamic_pointer_cast<PendingTensor>(value.asObject())) fn(*pending->tensor);
  }
}

}  // namespace

void collectDevices(const Value& value, std::vector<at::Device>& out) {
  forEachPending(value, [&](const LazyTensor& t) { out.push_back(t.device); });
}

bool anyRequiresGrad(const Value& value) {
  bool any = false;
  forEachPending(value, [&](const LazyTensor& t) { any = any || t.requiresGrad; });
  return any;
}

std::vector<int64_t> intsFromJs(const Napi::Value& value, const char* what) { return fromJs(value).asInts(what); }

}  // namespace ldm
