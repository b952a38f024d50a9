// Looking for numbers that are not finite, at the speed of the memory.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// Whether allFinite() may look at the tensor: dense, fp32 and on the CPU.
bool allFiniteSuits(const at::Tensor& value);

/// Whether every element is finite. libtorch's sum in double precision would tell as well, by way of a copy of twice
/// the size.
bool allFinite(const at::Tensor& value);

}  // namespace ldm
