#include "policy.h"

#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>

#include <atomic>

namespace ldm {

namespace {
std::atomic<KernelPolicy> policy{KernelPolicy::Fast};
}

KernelPolicy kernelPolicy() { return policy.load(std::memory_order_relaxed); }
void setKernelPolicy(KernelPolicy value) { policy.store(value, std::memory_order_relaxed); }

bool fastKernels(std::initializer_list<at::Tensor> tensors) {
  if (kernelPolicy() != KernelPolicy::Fast || at::autocast::is_autocast_enabled(at::kCPU)) return false;
  for (const at::Tensor& t : tensors) {
    if (!t.defined()) continue;
    if (!t.device().is_cpu() || t.scalar_type() != at::kFloat || t.layout() != at::kStrided || t.numel() == 0)
      return false;
    if (at::GradMode::is_enabled() && t.requires_grad()) return false;
  }
  return true;
}

}  // namespace ldm
