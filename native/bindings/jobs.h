// Promises that are settled by a job on an executor thread.
#pragma once

#include <napi.h>

#include <functional>
#include <optional>

#include "../core/context.h"
#include "environment.h"

namespace ldm {

/// The surroundings of a job as JavaScript gave them (JobOptions in lib/native.ts).
struct JobSetup {
  at::Device device = at::kCPU;
  std::shared_ptr<RandomSource> random;
  bool grad = false;
  std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);
  uint32_t progressCallback = 0;
  std::optional<at::ScalarType> autocast;
  int64_t tile = 0;  ///< see rows::TileScope
  InitMode init = InitMode::Random;
  const void* object = nullptr;

  static JobSetup from(const Napi::Value& options, at::Device defaultDevice);
};

/// Makes a result for JavaScript, on its thread.
using Finish = std::function<Napi::Value(Napi::Env)>;

/// Runs `work` on the executor of the setup's device inside a JobContext; the promise resolves with what the returned
/// function makes. An aborted job rejects with ERR_ABORTED at once while it waits in the queue.
Napi::Promise submit(Napi::Env env, const JobSetup& setup, std::function<Finish()> work);

/// Like `submit`, but `step` is called again and again, each time as a job of its own, until it sets `done`.
Napi::Promise submitLoop(Napi::Env env, const JobSetup& setup, std::function<Finish(bool& done)> step);

/// Runs `work` inside a context made from the setup. Executor thread.
void withContext(const JobSetup& setup, const std::shared_ptr<Courier>& courier, const std::function<void()>& work);

/// Queues work that nobody waits for.
void post(Napi::Env env, const JobSetup& setup, std::function<void()> work, std::function<void()> drop);

}  // namespace ldm
