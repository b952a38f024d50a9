// Group normalization and the SiLU that follows it in every block of the networks, in two passes over memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace ldm {

/// Whether groupNorm() can take these: fp32 or bfloat16 on the CPU, channels-last or (fp32) contiguous; with
/// gradients fp32, unless it is small and contiguous, or under autocast to bfloat16 what is channels-last.
bool groupNormSuits(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

/// group_norm(x, groups, weight, bias, eps) (Wu & He 2018), then x * sigmoid(x) when `silu`, in the layout of x.
///
/// The statistics are taken with a shift by the group's first value, in fp32 over short runs and in double precision
/// over those: they are right also where the mean is large beside the deviation (libtorch's own kernel for
/// channels-last tensors is off by 1e-1 with a mean of 50 deviations).
/// They are the same for bfloat16, of which only the result is rounded.
/// The gradient is one function as well: it keeps x and the statistics, not the normalized values.
/// @param x [N, C, ...], C divisible by groups
/// @param weight, bias [C], or [N, C] with one for each sample
at::Tensor groupNorm(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias, double eps,
                     bool silu);

/// The same without autograd, with the result in the place of x.
void groupNormInPlace(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias, double eps,
                      bool silu);

/// Group normalization of images that come in parts: statistics over all of them first, then the parts again. On any
/// device, without autograd; sums as in groupNorm().
class GroupStatistics {
 public:
  explicit GroupStatistics(int64_t groups) : groups_(groups) {}
  /// @param x fp32 or half precision [N, C, rows, W], the same N and C each time
  void add(const at::Tensor& x);
  /// The part normalized with the statistics of all that was added, then x * sigmoid(x) when `silu`.
  at::Tensor normalize(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double eps,
                       bool silu) const;

 private:
  int64_t groups_, count_ = 0;
  at::Tensor shift_;  ///< fp32 [N, C]: what was subtracted of each value
  at::Tensor sums_;   ///< double [N, 2, C]: of the values and of their squares
};

}  // namespace ldm
