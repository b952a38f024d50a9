#include "workspace.h"

#include <ATen/ATen.h>

#include <array>

namespace ldm {

namespace {
constexpr int kSlots = 3;
/// What is larger is not kept.
constexpr int64_t kKeptFloats = int64_t{12} << 20;
}  // namespace

at::Tensor workspace(int slot, int64_t count) {
  thread_local std::array<at::Tensor, kSlots> kept;
  at::Tensor& own = kept.at(static_cast<size_t>(slot));
  if (own.defined() && own.numel() >= count) return own.narrow(0, 0, count);
  own.reset();
  at::Tensor fresh = at::empty({count}, at::kFloat);
  if (count <= kKeptFloats) own = fresh;
  return fresh;
}

}  // namespace ldm
