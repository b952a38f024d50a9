#include "policy.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <atomic>

#include "training_scope.h"

namespace ldm {

thread_local int64_t TrainingScope::depth = 0;

namespace {

std::atomic<KernelPolicy> policy{KernelPolicy::Fast};

bool autocasting() {
  return at::autocast::is_autocast_enabled(at::kCPU) &&
         !c10::impl::tls_is_dispatch_key_excluded(c10::DispatchKey::AutocastCPU);
}

/// The number format that a network computes in when it is given `type`.
std::optional<at::ScalarType> fastType(at::ScalarType type) {
  if (autocasting()) {
    const bool fits = at::autocast::get_autocast_dtype(at::kCPU) == at::kBFloat16 && type != at::kDouble;
    return fits ? std::optional(at::kBFloat16) : std::nullopt;
  }
  return type == at::kFloat || type == at::kBFloat16 ? std::optional(type) : std::nullopt;
}

}  // namespace

KernelPolicy kernelPolicy() { return policy.load(std::memory_order_relaxed); }
void setKernelPolicy(KernelPolicy value) { policy.store(value, std::memory_order_relaxed); }

FastScope::FastScope(std::initializer_list<at::Tensor> tensors) {
  if (kernelPolicy() != KernelPolicy::Fast) return;
  if (TrainingScope::active() && tensors.begin()->numel() < kFewElements) return;
  for (const at::Tensor& t : tensors) {
    if (!t.defined()) continue;
    if (!t.device().is_cpu() || !t.is_floating_point() || t.layout() != at::kStrided || t.numel() == 0) return;
    if (at::GradMode::is_enabled() && t.requires_grad()) return;
  }
  type_ = fastType(tensors.begin()->scalar_type());
  if (type_) noAutocast_.emplace();
}

at::Tensor FastScope::take(const at::Tensor& tensor) const { return tensor.to(*type_); }

at::Tensor inFastLayout(const at::Tensor& image) {
  const bool served = image.dim() == 4 && !at::GradMode::is_enabled() && FastScope({image});
  return served ? image.contiguous(at::MemoryFormat::ChannelsLast) : image;
}

bool needGradients(std::initializer_list<at::Tensor> tensors) {
  if (!at::GradMode::is_enabled()) return false;
  return std::any_of(tensors.begin(), tensors.end(),
                     [](const at::Tensor& t) { return t.defined() && t.requires_grad(); });
}

namespace {

/// Whether some need a gradient and all are dense, on the CPU and of these formats.
bool trained(std::initializer_list<at::Tensor> tensors, at::ArrayRef<at::ScalarType> types) {
  return needGradients(tensors) && std::all_of(tensors.begin(), tensors.end(), [&](const at::Tensor& t) {
           return !t.defined() || (t.device().is_cpu() && t.layout() == at::kStrided && t.numel() > 0 &&
                                   std::find(types.begin(), types.end(), t.scalar_type()) != types.end());
         });
}

}  // namespace

bool fastTraining(std::initializer_list<at::Tensor> tensors) {
  if (kernelPolicy() != KernelPolicy::Fast || at::autocast::is_autocast_enabled(at::kCPU)) return false;
  return trained(tensors, {at::kFloat});
}

bool fastHalfTraining(std::initializer_list<at::Tensor> tensors) {
  if (kernelPolicy() != KernelPolicy::Fast || !autocasting()) return false;
  return at::autocast::get_autocast_dtype(at::kCPU) == at::kBFloat16 && trained(tensors, {at::kFloat, at::kBFloat16});
}

}  // namespace ldm
