#include "attention.h"

#include <ATen/ATen.h>

#include <limits>

namespace ldm {

namespace {

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

}  // namespace

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                     const at::Tensor& keyMask) {
  if (!keyMask.defined())
    return at::scaled_dot_product_attention(q, k, v, /*attn_mask=*/{}, /*dropout_p=*/0.0, /*is_causal=*/false, scale);
  at::Tensor scores = at::matmul(q, k.transpose(-1, -2)) * scale;
  const at::Tensor hidden = keyMask.logical_not().unsqueeze(1).unsqueeze(1);
  scores = scores.masked_fill(hidden, -largestFinite(scores.scalar_type()));
  return at::matmul(scores.softmax(-1), v);
}

}  // namespace ldm
