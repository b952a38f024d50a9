// ldm.modules.attention.SpatialSelfAttention.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "layers.h"

namespace ldm {

/// Single-head attention of each position of an image to all others, scaled by channels^-1/2, with a residual
/// connection.
class SpatialSelfAttention : public Layer {
 public:
  explicit SpatialSelfAttention(int64_t channels);
  explicit SpatialSelfAttention(const Value& params) : SpatialSelfAttention(params.integer("in_channels")) {}
  /// @param x [b, channels, h, w]
  at::Tensor forward(const at::Tensor& x) override;

 private:
  std::shared_ptr<GroupNorm> norm_;
  std::shared_ptr<Conv> q_, k_, v_, projOut_;
};

}  // namespace ldm
