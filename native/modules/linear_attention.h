// ldm.modules.attention.LinearAttention.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "layers.h"

namespace ldm {

/// Attention in linear time (Shen et al. 2018, "Efficient attention"): softmax over the positions of the keys only, no
/// normalisation of the queries and no residual connection.
class LinearAttention : public Layer {
 public:
  LinearAttention(int64_t dim, int64_t heads, int64_t dimHead);
  explicit LinearAttention(const Value& params);
  /// @param x [b, dim, h, w]
  at::Tensor forward(const at::Tensor& x) override;

 private:
  int64_t heads_;
  std::shared_ptr<Conv> toQkv_, toOut_;
};

}  // namespace ldm
