// JavaScript classes that wrap native things: NativeTensor, NativeObject, NativeCancelToken.
#pragma once

#include <napi.h>

#include <atomic>
#include <memory>
#include <string>

#include "../core/lazy_tensor.h"
#include "../core/object.h"

namespace ldm {

class TensorHandle : public Napi::ObjectWrap<TensorHandle> {
 public:
  static void define(Napi::Env env);
  static Napi::Object make(Napi::Env env, std::shared_ptr<LazyTensor> tensor);
  static bool is(const Napi::Value& value);
  /// The tensor behind a handle; ERR_DISPOSED, ERR_INVALID_ARGUMENT.
  static std::shared_ptr<LazyTensor> get(const Napi::Value& value);

  explicit TensorHandle(const Napi::CallbackInfo& info);
  void Finalize(Napi::BasicEnv env) override;

 private:
  Napi::Value shape(const Napi::CallbackInfo& info);
  Napi::Value dtype(const Napi::CallbackInfo& info);
  Napi::Value device(const Napi::CallbackInfo& info);
  Napi::Value requiresGrad(const Napi::CallbackInfo& info);
  Napi::Value address(const Napi::CallbackInfo& info);
  Napi::Value disposed(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  const LazyTensor& live() const;
  void letGo(Napi::BasicEnv env);

  std::shared_ptr<LazyTensor> tensor_;
  int64_t bytes_ = 0;
};

/// A native object as JavaScript holds it.
struct HeldObject {
  std::shared_ptr<Object> object;
  std::string target;
  at::Device device = at::kCPU;
  int64_t bytes = 0;
};

class ObjectHandle : public Napi::ObjectWrap<ObjectHandle> {
 public:
  static void define(Napi::Env env);
  static Napi::Object make(Napi::Env env, HeldObject held);
  static bool is(const Napi::Value& value);
  static HeldObject& get(const Napi::Value& value);
  /// After a move or cast.
  static void update(const Napi::Value& value, at::Device device, int64_t bytes);

  explicit ObjectHandle(const Napi::CallbackInfo& info);
  void Finalize(Napi::BasicEnv env) override;

 private:
  Napi::Value target(const Napi::CallbackInfo& info);
  Napi::Value device(const Napi::CallbackInfo& info);
  Napi::Value disposed(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  void letGo(Napi::BasicEnv env);

  HeldObject held_;
};

class TokenHandle : public Napi::ObjectWrap<TokenHandle> {
 public:
  static void define(Napi::Env env);
  static Napi::Object make(Napi::Env env);
  static std::shared_ptr<std::atomic<bool>> get(const Napi::Value& value);

  explicit TokenHandle(const Napi::CallbackInfo& info);

 private:
  Napi::Value cancel(const Napi::CallbackInfo& info);
  std::shared_ptr<std::atomic<bool>> flag_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace ldm
