// Group normalization and the SiLU that follows it in every block of the networks, in two passes over memory.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// Whether groupNorm() can take these: fp32 or bfloat16 on the CPU, channels-last or (fp32) contiguous, no gradients.
bool groupNormSuits(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

/// group_norm(x, groups, weight, bias, eps) (Wu & He 2018), then x * sigmoid(x) when `silu`, in the layout of x.
///
/// The statistics are taken with a shift by the group's first value, in fp32 over short runs and in double precision
/// over those: they are right also where the mean is large beside the deviation (libtorch's own kernel for
/// channels-last tensors is off by 1e-1 with a mean of 50 deviations).
/// They are the same for bfloat16, of which only the result is rounded.
/// @param x [N, C, ...], C divisible by groups
/// @param weight, bias [C], or [N, C] with one for each sample
at::Tensor groupNorm(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias, double eps,
                     bool silu);

}  // namespace ldm
