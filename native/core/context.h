// What a job on the executor thread can see: randomness, cancellation, progress. Set by RAII for the length of a job.
#pragma once

#include <atomic>
#include <functional>

#include "random.h"
#include "value.h"

namespace ldm {

/// The surroundings of a running job. One per executor thread; nested contexts inherit what they do not set.
struct JobContext {
  at::Device device = at::kCPU;
  RandomSource* random = nullptr;                ///< null: libtorch's default generator of the device
  const std::atomic<bool>* cancelled = nullptr;  ///< set from another thread by an AbortSignal or by close()
  std::function<void(const Value&)> progress;    ///< reports to JavaScript; may be empty
  InitMode init = InitMode::Random;
};

/// Makes `context` current for its lifetime.
class ContextScope {
 public:
  explicit ContextScope(JobContext* context);
  ~ContextScope();
  ContextScope(const ContextScope&) = delete;

 private:
  JobContext* context_;
  bool owner_ = false;
  JobContext* previous_;
};

/// The current context; outside of a job an empty one.
JobContext& context();

/// The context of the job that runs on `device`'s executor, or nullptr. On CUDA the autograd engine runs backward
/// functions on threads of its own; they find the job's context here.
JobContext* contextOfDevice(const at::Device& device);
bool insideJob();

/// Throws LdmError(ERR_ABORTED) when the job was cancelled. Called between the blocks of every network and by each
/// loop.
void poll();

/// Sends a progress value to JavaScript if anybody listens.
void reportProgress(const Value& value);

}  // namespace ldm
