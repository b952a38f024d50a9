// When the fast paths of this folder are taken.
#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>
#include <optional>

#include "../core/full_precision.h"

namespace ldm {

/// Exact: libtorch's own operators. Fast: other algorithms for the same sums (Winograd convolution, oneDNN's products,
/// group norm and SiLU in one pass), whose rounding differs: by less than 1e-5 of a layer's largest value in fp32.
enum class KernelPolicy { Exact, Fast };

/// The policy of the process; Fast unless set.
KernelPolicy kernelPolicy();
void setKernelPolicy(KernelPolicy policy);

/// Whether fast paths may serve an operation on these tensors (undefined ones are passed over), and in which number
/// format: bfloat16 under autocast to it, else that of the first tensor, which has to be fp32 or bfloat16. All must be
/// dense floating point tensors on the CPU, and none may need a gradient. While it lives, autocast is off: the fast
/// path casts by itself.
class FastScope {
 public:
  FastScope(std::initializer_list<at::Tensor> tensors);
  explicit operator bool() const { return type_.has_value(); }
  /// fp32 or bfloat16, in which the operands are.
  at::ScalarType type() const { return *type_; }
  /// The tensor in that format.
  at::Tensor take(const at::Tensor& tensor) const;

 private:
  std::optional<at::ScalarType> type_;
  std::optional<FullPrecision> noAutocast_;
};

/// An image in channels-last layout where the fast paths will serve the network that it goes through, else as it is.
at::Tensor inFastLayout(const at::Tensor& image);

/// Where gradients are needed, tensors with fewer elements go through libtorch's operators: there is little time to
/// win, and tiny networks train bit by bit as under KernelPolicy::Exact.
constexpr int64_t kFewElements = int64_t{1} << 17;

/// Whether autograd records what is computed from these; undefined ones do not count.
bool needGradients(std::initializer_list<at::Tensor> tensors);

/// Whether fast paths with gradients may serve an operation on these tensors in fp32: some need a gradient, and all are
/// dense, on the CPU and in fp32. Under autocast none may.
bool fastTraining(std::initializer_list<at::Tensor> tensors);

/// The same under autocast to bfloat16: what is computed is in bfloat16, with sums in fp32; parameters and their
/// gradients are in fp32. The tensors may be in either.
bool fastHalfTraining(std::initializer_list<at::Tensor> tensors);

}  // namespace ldm
