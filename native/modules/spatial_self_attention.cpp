#include "spatial_self_attention.h"

#include <ATen/ATen.h>

#include <cmath>

#include "../core/registry.h"
#include "../kernels/attention.h"

namespace ldm {

SpatialSelfAttention::SpatialSelfAttention(int64_t channels) {
  norm_ = child("norm", std::make_shared<GroupNorm>(32, channels, 1e-6));
  q_ = child("q", std::make_shared<Conv>(channels, channels, 1));
  k_ = child("k", std::make_shared<Conv>(channels, channels, 1));
  v_ = child("v", std::make_shared<Conv>(channels, channels, 1));
  projOut_ = child("proj_out", std::make_shared<Conv>(channels, channels, 1));
}

at::Tensor SpatialSelfAttention::forward(const at::Tensor& x) {
  const at::Tensor h = norm_->forward(x);
  // one head: [b, 1, positions, channels]
  const auto sequence = [](const at::Tensor& t) { return t.flatten(2).transpose(1, 2).unsqueeze(1).contiguous(); };
  const double scale = std::pow(static_cast<double>(x.size(1)), -0.5);
  const at::Tensor out = attention(sequence(q_->forward(h)), sequence(k_->forward(h)), sequence(v_->forward(h)), scale);
  return x + projOut_->forward(out.squeeze(1).transpose(1, 2).reshape_as(x));
}

REGISTER("ldm.modules.attention.SpatialSelfAttention", SpatialSelfAttention);

}  // namespace ldm
