// What the fast paths have to know of the job that they run in.
#pragma once

#include <cstdint>

namespace ldm {

/// A training step. While it lives, small tensors go through libtorch's operators on this thread also where no
/// gradients are needed (the reconstructions for the discriminator, LPIPS of the images): so that tiny networks train
/// bit by bit as under KernelPolicy::Exact (policy.h, kFewElements).
class TrainingScope {
 public:
  TrainingScope() { ++depth; }
  ~TrainingScope() { --depth; }
  TrainingScope(const TrainingScope&) = delete;
  static bool active() { return depth > 0; }

 private:
  static thread_local int64_t depth;
};

}  // namespace ldm
