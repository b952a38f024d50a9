#include "attention.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <limits>

#include "attention_bf16.h"
#include "attention_gradient.h"
#include "blockwise_attention.h"
#include "policy.h"
#include "small_attention.h"

namespace ldm {

double largestFinite(at::ScalarType type) {
  switch (type) {
    case at::kHalf:
      return static_cast<double>(std::numeric_limits<at::Half>::max());
    case at::kBFloat16:
      return static_cast<double>(std::numeric_limits<at::BFloat16>::max());
    case at::kDouble:
      return std::numeric_limits<double>::max();
    default:
      return std::numeric_limits<float>::max();
  }
}

namespace {

/// Whether attentionWithGradient() is the fastest way: where heads are small, what their single products cost besides
/// outweighs what they save.
bool blocksSuit(const at::Tensor& q, const at::Tensor& k) {
  constexpr int64_t kFewestScores = int64_t{1} << 16;
  const int64_t scores = q.size(2) * k.size(2);
  return scores >= kFewestScores && q.size(0) * q.size(1) * scores >= kFewElements;
}

/// Weights that are small enough to be held for the backward pass: 64 MiB in fp32.
constexpr int64_t kHeldWeights = int64_t{1} << 24;

/// The fused backward pass restores the weights and takes their row sums from the output, so that gradients that vanish
/// by cancellation (of queries over a single key, of the bias of keys) come out as rounding noise larger than the plain
/// formula's. In fp32 the plain formula is therefore taken while it is affordable.
bool plainFormula(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const bool needsGradient =
      at::GradMode::is_enabled() && (q.requires_grad() || k.requires_grad() || v.requires_grad());
  const bool full = q.scalar_type() == at::kFloat || q.scalar_type() == at::kDouble;
  return needsGradient && full && q.size(0) * q.size(1) * q.size(2) * k.size(2) <= kHeldWeights;
}

/// CUDA's fused kernels want the numbers of a head side by side; without that libtorch holds all weights in memory.
at::Tensor forFusedKernels(const at::Tensor& t) {
  return t.device().is_cpu() || t.stride(-1) == 1 ? t : t.contiguous();
}

}  // namespace

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                     const at::Tensor& keyMask) {
  // A context of one sample for several is libtorch's to broadcast, and what does not fit its to refuse.
  const bool alike = q.size(0) == k.size(0) && q.size(1) == k.size(1) && q.size(3) == k.size(3) &&
                     k.size(0) == v.size(0) && k.size(1) == v.size(1) && k.size(2) == v.size(2);
  if (!keyMask.defined() && alike) {
    const FastScope fast({q, k, v});
    if (fast && fast.type() == at::kBFloat16 && bf16AttentionAvailable())
      return bf16Attention(fast.take(q), fast.take(k), fast.take(v), scale);
    if (fast && smallAttentionSuits(k, v)) return smallAttention(fast.take(q), fast.take(k), fast.take(v), scale);
    if (fast) return blockwiseAttention(fast.take(q), fast.take(k), fast.take(v), scale);
    if (blocksSuit(q, k)) {
      const auto half = [](const at::Tensor& t) { return t.to(at::kBFloat16); };
      if (fastTraining({q, k, v})) return attentionWithGradient(q, k, v, scale);
      if (fastHalfTraining({q, k, v})) return attentionWithGradient(half(q), half(k), half(v), scale);
    }
  }
  if (!keyMask.defined() && !plainFormula(q, k, v))
    return at::scaled_dot_product_attention(forFusedKernels(q), forFusedKernels(k), forFusedKernels(v),
                                            /*attn_mask=*/{}, /*dropout_p=*/0.0, /*is_causal=*/false, scale);
  at::Tensor scores = at::matmul(q, k.transpose(-1, -2)) * scale;
  if (keyMask.defined())
    scores = scores.masked_fill(keyMask.logical_not().unsqueeze(1).unsqueeze(1), -largestFinite(scores.scalar_type()));
  return at::matmul(scores.softmax(-1), v);
}

at::Tensor causalAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  return at::scaled_dot_product_attention(forFusedKernels(q), forFusedKernels(k), forFusedKernels(v), /*attn_mask=*/{},
                                          /*dropout_p=*/0.0, /*is_causal=*/true, scale);
}

}  // namespace ldm
