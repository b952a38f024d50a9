// What groupNorm() is made of where gradients are needed.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// Channels-last and not contiguous as well.
inline bool isChannelsLast(const at::Tensor& x) {
  return x.dim() == 4 && x.is_contiguous(at::MemoryFormat::ChannelsLast) && !x.is_contiguous();
}

/// groupNorm() without autograd. `statistics`: null, or where mean and inverse deviation of each group go, [N, groups,
/// 2].
at::Tensor groupNormForward(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias,
                            double eps, bool activated, double* statistics);

/// groupNorm() that autograd can go back through (once: the gradient has none of its own).
at::Tensor groupNormWithGradient(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias,
                                 double eps, bool activated);

}  // namespace ldm
