// When the fast paths of this folder are taken.
#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>

namespace ldm {

/// Exact: libtorch's own operators. Fast: other algorithms for the same sums (Winograd convolution, group norm and SiLU
/// in one pass), whose rounding differs: by less than 1e-5 of a layer's largest value.
enum class KernelPolicy { Exact, Fast };

/// The policy of the process; Fast unless set.
KernelPolicy kernelPolicy();
void setKernelPolicy(KernelPolicy policy);

/// Whether a path for fp32 on the CPU without gradients may take these tensors; undefined ones do not count. Under
/// autocast none may: the result would be in half precision.
bool fastKernels(std::initializer_list<at::Tensor> tensors);

}  // namespace ldm
