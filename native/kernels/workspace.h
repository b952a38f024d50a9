// Scratch memory of the kernels.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// `count` floats of undefined content, valid until the next call for the same slot on this thread. Kept for the next
/// call: the allocator would give large blocks back to the system, and fetching them again costs as much as filling
/// them.
at::Tensor workspace(int slot, int64_t count);

}  // namespace ldm
