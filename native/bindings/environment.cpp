#include "environment.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <new>

namespace ldm {

// ---------------------------------------------------------------------------------------------------- Courier
Courier::Courier(Napi::Env env)
    : channel_(
          Napi::ThreadSafeFunction::New(env, Napi::Function(), "ldm", /*maxQueueSize=*/0, /*initialThreadCount=*/1)) {
  channel_.Unref(env);
}

void Courier::deliver(std::function<void(Napi::Env)> fn) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return;
  channel_.NonBlockingCall([fn = std::move(fn)](Napi::Env env, Napi::Function) {
    if (env == nullptr) return;
    Napi::HandleScope scope(env);
    try {
      fn(env);
    } catch (const Napi::Error& error) {
      // A user's callback threw: report it like any uncaught exception of JavaScript.
      napi_fatal_exception(env, error.Value());
    }
  });
}

void Courier::begin(Napi::Env env) {
  if (pending_++ == 0) channel_.Ref(env);
}

void Courier::end(Napi::Env env) {
  if (--pending_ == 0) channel_.Unref(env);
}

void Courier::close() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return;
  closed_ = true;
  channel_.Release();
}

// ---------------------------------------------------------------------------------------------------- Environment
Environment::Environment(Napi::Env env) : courier_(std::make_shared<Courier>(env)) {
  // Registered after the channel: hooks run in reverse order, so the channel is still there when this one runs.
  env.AddCleanupHook([this] { shutDown(); });
}

Environment& Environment::of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

std::shared_ptr<Executor> Environment::executor(const at::Device& device) {
  auto& slot = executors_[device.str()];
  if (!slot) slot = Executor::of(device);
  return slot;
}

std::shared_ptr<Executor> Environment::executorInUse(const at::Device& device) const {
  auto it = executors_.find(device.str());
  return it == executors_.end() ? nullptr : it->second;
}

void Environment::shutDown() {
  courier_->close();
  for (auto& [device, executor] : executors_) executor->cancel([this](const Job& job) { return job.owner == this; });
  // The last environment to let go joins the thread, which waits for the end of the running job.
  executors_.clear();
}

uint32_t Environment::keepCallback(Napi::Function fn) {
  uint32_t id = nextCallback_++;
  callbacks_.emplace(id, Napi::Persistent(fn));
  return id;
}
Napi::Function Environment::callback(Napi::Env env, uint32_t id) {
  auto it = callbacks_.find(id);
  return it == callbacks_.end() ? Napi::Function() : it->second.Value();
}
void Environment::dropCallback(uint32_t id) { callbacks_.erase(id); }

size_t Environment::pendingJobs() const {
  size_t n = 0;
  for (const auto& [device, executor] : executors_) n += executor->pending();
  return n;
}

// ---------------------------------------------------------------------------------------------------- errors
Failure describe(std::exception_ptr error) {
  auto firstLine = [](const std::string& text) { return text.substr(0, text.find('\n')); };
  try {
    std::rethrow_exception(error);
  } catch (const LdmError& e) {
    return {e.code(), e.what()};
  } catch (const c10::OutOfMemoryError& e) {
    return {"ERR_OUT_OF_MEMORY", firstLine(e.what_without_backtrace())};
  } catch (const c10::Error& e) {
    std::string message = firstLine(e.what_without_backtrace());
    // "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to ..."
    if (message.find("can't allocate memory") != std::string::npos)
      return {"ERR_OUT_OF_MEMORY", message.substr(std::min(message.find("DefaultCPUAllocator"), message.size()))};
    return {"ERR_TORCH", message};
  } catch (const std::bad_alloc&) {
    return {"ERR_OUT_OF_MEMORY", "Memory ran out"};
  } catch (const std::exception& e) {
    return {"ERR_TORCH", firstLine(e.what())};
  } catch (...) {
    return {"ERR_TORCH", "An unknown error of the native library"};
  }
}

Napi::Error toJsError(Napi::Env env, const Failure& failure) {
  Napi::Error error = Napi::Error::New(env, failure.message);
  error.Set("code", Napi::String::New(env, failure.code));
  return error;
}

}  // namespace ldm
