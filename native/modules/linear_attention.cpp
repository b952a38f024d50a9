#include "linear_attention.h"

#include <ATen/ATen.h>

#include "../core/registry.h"

namespace ldm {

LinearAttention::LinearAttention(int64_t dim, int64_t heads, int64_t dimHead) : heads_(heads) {
  toQkv_ = child("to_qkv", std::make_shared<Conv>(dim, heads * dimHead * 3, 1, ConvOptions{.bias = false}));
  toOut_ = child("to_out", std::make_shared<Conv>(heads * dimHead, dim, 1));
}

LinearAttention::LinearAttention(const Value& params)
    : LinearAttention(params.integer("dim"), params.integer("heads"), params.integer("dim_head")) {}

at::Tensor LinearAttention::forward(const at::Tensor& x) {
  // [b, 3, heads, channels of a head, positions]
  const auto qkv = toQkv_->forward(x).flatten(2).unflatten(1, {3, heads_, -1}).unbind(1);
  const at::Tensor context = at::matmul(qkv[1].softmax(-1), qkv[2].transpose(-1, -2));
  const at::Tensor out = at::matmul(context.transpose(-1, -2), qkv[0]);
  return toOut_->forward(out.flatten(1, 2).unflatten(2, {x.size(2), x.size(3)}));
}

REGISTER("ldm.modules.attention.LinearAttention", LinearAttention);

}  // namespace ldm
