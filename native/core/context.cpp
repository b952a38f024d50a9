#include "context.h"

#include <array>

namespace ldm {

namespace {
// Process-wide defaults for code outside of a job; thread-local because each device has its own executor thread.
thread_local JobContext emptyContext;
thread_local JobContext* current = nullptr;

// One slot for the CPU and one for each CUDA device.
std::array<std::atomic<JobContext*>, 65> active{};
std::atomic<JobContext*>& slot(const at::Device& device) {
  return active[device.is_cpu() ? 0 : 1 + static_cast<size_t>(device.has_index() ? device.index() : 0) % 64];
}
}  // namespace

ContextScope::ContextScope(JobContext* context) : context_(context), previous_(current) {
  current = context;
  // A context that is lent to another thread is active already and stays so.
  owner_ = context && !previous_ && !slot(context->device).load();
  if (owner_) slot(context->device).store(context);
}
ContextScope::~ContextScope() {
  current = previous_;
  if (owner_) slot(context_->device).store(nullptr);
}

JobContext* contextOfDevice(const at::Device& device) { return slot(device).load(); }
bool insideJob() { return current != nullptr; }

JobContext& context() { return current ? *current : emptyContext; }

void poll() {
  const auto* flag = context().cancelled;
  if (flag && flag->load(std::memory_order_relaxed)) throw LdmError("ERR_ABORTED", "The operation was aborted");
}

void reportProgress(const Value& value) {
  if (context().progress) context().progress(value);
}

}  // namespace ldm
