#include "handles.h"

#include <chrono>

#include "../core/ops.h"
#include "environment.h"

namespace ldm {

namespace {

constexpr napi_type_tag kTensorTag = {0x6c646d5f74656e73ULL, 0x6f725f68616e646cULL};
constexpr napi_type_tag kObjectTag = {0x6c646d5f6f626a65ULL, 0x63745f68616e646cULL};
constexpr napi_type_tag kTokenTag = {0x6c646d5f746f6b65ULL, 0x6e5f68616e646c65ULL};

bool hasTag(const Napi::Value& value, const napi_type_tag& tag) {
  return value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&tag);
}

void accountExternal(Napi::BasicEnv env, int64_t change) {
  if (change == 0) return;
  int64_t now = 0;
  napi_adjust_external_memory(env, change, &now);
}

// Only this file may construct handles: the constructors take an External.
template <class T>
T* payload(const Napi::CallbackInfo& info, const char* name) {
  if (info.Length() != 1 || !info[0].IsExternal())
    throw toJsError(info.Env(), {"ERR_INVALID_ARGUMENT", std::string(name) + " cannot be constructed directly"});
  return info[0].As<Napi::External<T>>().Data();
}

void addDispose(Napi::Env env, Napi::Function constructor) {
  Napi::Object prototype = constructor.Get("prototype").As<Napi::Object>();
  Napi::Value symbol = env.Global().Get("Symbol").As<Napi::Object>().Get("dispose");
  if (symbol.IsSymbol()) prototype.Set(symbol, prototype.Get("dispose"));
}

}  // namespace

// ---------------------------------------------------------------------------------------------------- tensors
void TensorHandle::define(Napi::Env env) {
  Napi::Function constructor = DefineClass(
      env, "NativeTensor",
      {InstanceAccessor<&TensorHandle::shape>("shape"), InstanceAccessor<&TensorHandle::dtype>("dtype"),
       InstanceAccessor<&TensorHandle::device>("device"), InstanceAccessor<&TensorHandle::requiresGrad>("requiresGrad"),
       InstanceAccessor<&TensorHandle::address>("address"), InstanceAccessor<&TensorHandle::disposed>("disposed"),
       InstanceMethod<&TensorHandle::dispose>("dispose")});
  addDispose(env, constructor);
  Environment::of(env).tensorConstructor = Napi::Persistent(constructor);
}

Napi::Object TensorHandle::make(Napi::Env env, std::shared_ptr<LazyTensor> tensor) {
  auto external = Napi::External<std::shared_ptr<LazyTensor>>::New(env, &tensor);
  return Environment::of(env).tensorConstructor.New({external});
}

TensorHandle::TensorHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<TensorHandle>(info) {
  tensor_ = *payload<std::shared_ptr<LazyTensor>>(info, "NativeTensor");
  info.This().As<Napi::Object>().TypeTag(&kTensorTag);
  bytes_ = tensor_->device.is_cpu() ? tensor_->ownBytes : 0;
  accountExternal(info.Env(), bytes_);
  auto& environment = Environment::of(info.Env());
  environment.tensors++;
  environment.tensorBytes += tensor_->ownBytes;
}

bool TensorHandle::is(const Napi::Value& value) { return hasTag(value, kTensorTag); }

std::shared_ptr<LazyTensor> TensorHandle::get(const Napi::Value& value) {
  if (!is(value)) throw toJsError(value.Env(), {"ERR_INVALID_ARGUMENT", "Expected a tensor"});
  auto* self = Unwrap(value.As<Napi::Object>());
  self->live();
  return self->tensor_;
}

const LazyTensor& TensorHandle::live() const {
  if (!tensor_) throw toJsError(Env(), {"ERR_DISPOSED", "This tensor was used after dispose()"});
  return *tensor_;
}

void TensorHandle::letGo(Napi::BasicEnv env) {
  if (!tensor_) return;
  accountExternal(env, -bytes_);
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  if (auto* environment = static_cast<Environment*>(data)) {
    environment->tensors--;
    environment->tensorBytes -= tensor_->ownBytes;
    // Freed on the executor thread, after the jobs that were queued before.
    if (auto executor = environment->executorInUse(tensor_->device)) executor->release(std::move(tensor_));
  }
  tensor_.reset();
}

void TensorHandle::Finalize(Napi::BasicEnv env) { letGo(env); }

Napi::Value TensorHandle::shape(const Napi::CallbackInfo& info) {
  auto sizes = live().meta.sizes();
  Napi::Array out = Napi::Array::New(info.Env(), sizes.size());
  for (size_t i = 0; i < sizes.size(); ++i) out.Set(static_cast<uint32_t>(i), static_cast<double>(sizes[i]));
  return out;
}
Napi::Value TensorHandle::dtype(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), dtypeName(live().meta.scalar_type()));
}
Napi::Value TensorHandle::device(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), live().device.str());
}
Napi::Value TensorHandle::requiresGrad(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), live().requiresGrad);
}
Napi::Value TensorHandle::address(const Napi::CallbackInfo& info) {
  const LazyTensor& tensor = live();
  const bool ready =
      tensor.value.valid() && tensor.value.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  if (!ready || !tensor.meta.is_contiguous()) return info.Env().Null();
  try {
    // At most 57 bits in theory, 47 on the systems that there are: a double holds it.
    auto address = reinterpret_cast<uintptr_t>(tensor.value.get().const_data_ptr());
    return address == 0 ? info.Env().Null() : Napi::Number::New(info.Env(), static_cast<double>(address));
  } catch (...) {
    return info.Env().Null();
  }
}
Napi::Value TensorHandle::disposed(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), !tensor_); }
Napi::Value TensorHandle::dispose(const Napi::CallbackInfo& info) {
  letGo(info.Env());
  return info.Env().Undefined();
}

// ---------------------------------------------------------------------------------------------------- objects
void ObjectHandle::define(Napi::Env env) {
  Napi::Function constructor = DefineClass(
      env, "NativeObject",
      {InstanceAccessor<&ObjectHandle::target>("target"), InstanceAccessor<&ObjectHandle::device>("device"),
       InstanceAccessor<&ObjectHandle::disposed>("disposed"), InstanceMethod<&ObjectHandle::dispose>("dispose")});
  addDispose(env, constructor);
  Environment::of(env).objectConstructor = Napi::Persistent(constructor);
}

Napi::Object ObjectHandle::make(Napi::Env env, HeldObject held) {
  auto external = Napi::External<HeldObject>::New(env, &held);
  return Environment::of(env).objectConstructor.New({external});
}

ObjectHandle::ObjectHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ObjectHandle>(info) {
  held_ = *payload<HeldObject>(info, "NativeObject");
  info.This().As<Napi::Object>().TypeTag(&kObjectTag);
  if (held_.device.is_cpu()) accountExternal(info.Env(), held_.bytes);
  auto& environment = Environment::of(info.Env());
  environment.objects++;
  environment.objectBytes += held_.bytes;
}

bool ObjectHandle::is(const Napi::Value& value) { return hasTag(value, kObjectTag); }

HeldObject& ObjectHandle::get(const Napi::Value& value) {
  if (!is(value)) throw toJsError(value.Env(), {"ERR_INVALID_ARGUMENT", "Expected a native object"});
  auto* self = Unwrap(value.As<Napi::Object>());
  if (!self->held_.object) throw toJsError(value.Env(), {"ERR_DISPOSED", "This object was used after dispose()"});
  return self->held_;
}

void ObjectHandle::update(const Napi::Value& value, at::Device device, int64_t bytes) {
  HeldObject& held = get(value);
  if (held.device.is_cpu()) accountExternal(value.Env(), -held.bytes);
  if (device.is_cpu()) accountExternal(value.Env(), bytes);
  Environment::of(value.Env()).objectBytes += bytes - held.bytes;
  held.device = device;
  held.bytes = bytes;
}

void ObjectHandle::letGo(Napi::BasicEnv env) {
  if (!held_.object) return;
  if (held_.device.is_cpu()) accountExternal(env, -held_.bytes);
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  if (auto* environment = static_cast<Environment*>(data)) {
    environment->objects--;
    environment->objectBytes -= held_.bytes;
    if (auto executor = environment->executorInUse(held_.device)) executor->release(std::move(held_.object));
  }
  held_.object.reset();
}

void ObjectHandle::Finalize(Napi::BasicEnv env) { letGo(env); }

Napi::Value ObjectHandle::target(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), held_.target); }
Napi::Value ObjectHandle::device(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), held_.device.str());
}
Napi::Value ObjectHandle::disposed(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), !held_.object);
}
Napi::Value ObjectHandle::dispose(const Napi::CallbackInfo& info) {
  letGo(info.Env());
  return info.Env().Undefined();
}

// ---------------------------------------------------------------------------------------------------- cancel tokens
void TokenHandle::define(Napi::Env env) {
  Napi::Function constructor = DefineClass(env, "NativeCancelToken", {InstanceMethod<&TokenHandle::cancel>("cancel")});
  Environment::of(env).tokenConstructor = Napi::Persistent(constructor);
}

Napi::Object TokenHandle::make(Napi::Env env) { return Environment::of(env).tokenConstructor.New({}); }

TokenHandle::TokenHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<TokenHandle>(info) {
  info.This().As<Napi::Object>().TypeTag(&kTokenTag);
}

std::shared_ptr<std::atomic<bool>> TokenHandle::get(const Napi::Value& value) {
  if (!hasTag(value, kTokenTag)) throw toJsError(value.Env(), {"ERR_INVALID_ARGUMENT", "Expected a cancel token"});
  return Unwrap(value.As<Napi::Object>())->flag_;
}

Napi::Value TokenHandle::cancel(const Napi::CallbackInfo& info) {
  flag_->store(true);
  for (const auto& [device, executor] : Environment::of(info.Env()).executors()) executor->purge();
  return info.Env().Undefined();
}

}  // namespace ldm
