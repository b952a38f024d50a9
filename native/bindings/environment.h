// What belongs to one JavaScript environment (the main thread or a worker): constructors, executors in use, and the way
// back from executor threads.
#pragma once

#include <napi.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "../core/executor.h"
#include "../core/value.h"

namespace ldm {

/// Carries closures from any thread to the JavaScript thread. Shared by running jobs, so it may outlive the
/// environment: then closures are dropped.
class Courier {
 public:
  explicit Courier(Napi::Env env);
  /// Runs `fn` on the JavaScript thread soon. Any thread.
  void deliver(std::function<void(Napi::Env)> fn);
  /// JavaScript thread: work is under way, so the process must not end (and the reverse).
  void begin(Napi::Env env);
  void end(Napi::Env env);
  /// JavaScript thread, at the end of the environment.
  void close();

 private:
  std::mutex mutex_;
  bool closed_ = false;
  size_t pending_ = 0;
  Napi::ThreadSafeFunction channel_;
};

class Environment {
 public:
  explicit Environment(Napi::Env env);
  static Environment& of(Napi::Env env);

  std::shared_ptr<Executor> executor(const at::Device& device);
  /// Looks among the executors in use; never creates one.
  std::shared_ptr<Executor> executorInUse(const at::Device& device) const;
  void shutDown();

  const std::shared_ptr<Courier>& courier() const { return courier_; }
  uint32_t keepCallback(Napi::Function fn);
  Napi::Function callback(Napi::Env env, uint32_t id);
  void dropCallback(uint32_t id);
  size_t pendingJobs() const;
  const std::map<std::string, std::shared_ptr<Executor>>& executors() const { return executors_; }

  Napi::FunctionReference tensorConstructor;
  Napi::FunctionReference objectConstructor;
  Napi::FunctionReference tokenConstructor;

  // live handles, for memoryUsage()
  size_t tensors = 0, objects = 0;
  int64_t tensorBytes = 0, objectBytes = 0;

 private:
  std::shared_ptr<Courier> courier_;
  std::map<std::string, std::shared_ptr<Executor>> executors_;
  std::map<uint32_t, Napi::FunctionReference> callbacks_;
  uint32_t nextCallback_ = 1;
};

/// What an exception says to JavaScript.
struct Failure {
  std::string code;
  std::string message;
};
Failure describe(std::exception_ptr error);
Napi::Error toJsError(Napi::Env env, const Failure& failure);

/// Runs the body of an N-API entry; any C++ exception becomes an error with a code. `torchCode` replaces ERR_TORCH.
template <class F>
auto guarded(Napi::Env env, F&& body, const char* torchCode = nullptr) -> decltype(body()) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    Failure failure = describe(std::current_exception());
    if (torchCode && failure.code == "ERR_TORCH") failure.code = torchCode;
    throw toJsError(env, failure);
  }
}

}  // namespace ldm
