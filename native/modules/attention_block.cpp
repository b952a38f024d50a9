#include "attention_block.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "../core/autograd.h"
#include "../core/random.h"
#include "../core/registry.h"
#include "../kernels/attention.h"
#include "../kernels/linear.h"

namespace ldm::unet {

namespace {

/// A 1-d convolution with kernel 1 over [b, n, channels]. libtorch's conv1d has no fast path for that shape.
at::Tensor pointwise(const Conv& conv, const at::Tensor& x) { return linear(x, conv.weight.squeeze(-1), conv.bias); }

std::shared_ptr<Conv> pointwiseConv(int64_t in, int64_t out) {
  return std::make_shared<Conv>(in, out, 1, ConvOptions{.dims = 1});
}

int64_t headsOf(int64_t channels, int64_t numHeads, int64_t numHeadChannels) {
  const bool byHeads = numHeadChannels == -1;
  const int64_t divisor = byHeads ? numHeads : numHeadChannels;
  if (divisor < 1 || channels % divisor)
    invalid("Attention over " + std::to_string(channels) + " channels needs " +
            (byHeads ? "a number of heads (num_heads)" : "a width of the heads (num_head_channels)") +
            " that divides it, but received " + std::to_string(divisor));
  return byHeads ? numHeads : channels / numHeadChannels;
}

}  // namespace

at::Tensor qkvAttention(const at::Tensor& qkv, int64_t heads, QkvOrder order) {
  const bool headsFirst = order == QkvOrder::HeadsFirst;
  // to [b, n, heads, d] each
  const auto parts =
      headsFirst ? qkv.unflatten(-1, {heads, 3, -1}).unbind(3) : qkv.unflatten(-1, {3, heads, -1}).unbind(2);
  const double scale = 1 / std::sqrt(static_cast<double>(parts[0].size(-1)));
  const at::Tensor out = attention(parts[0].transpose(1, 2), parts[1].transpose(1, 2), parts[2].transpose(1, 2), scale);
  return out.transpose(1, 2).flatten(2);
}

AttentionBlock::AttentionBlock(int64_t channels, int64_t numHeads, int64_t numHeadChannels, bool checkpoint,
                               QkvOrder order)
    : heads_(headsOf(channels, numHeads, numHeadChannels)), checkpoint_(checkpoint), order_(order) {
  norm_ = child("norm", std::make_shared<GroupNorm>(32, channels, 1e-5, true));
  qkv_ = child("qkv", pointwiseConv(channels, channels * 3));
  projOut_ = child("proj_out", pointwiseConv(channels, channels)->zeroed());
}

AttentionBlock::AttentionBlock(const Value& params)
    : AttentionBlock(params.integer("channels"), params.integer("num_heads"), params.integer("num_head_channels"),
                     params.boolean("use_checkpoint"),
                     params.boolean("use_new_attention_order") ? QkvOrder::QkvFirst : QkvOrder::HeadsFirst) {}

at::Tensor AttentionBlock::forward(const at::Tensor& x) {
  if (!checkpoint_ || !at::GradMode::is_enabled()) return compute(x);
  return ldm::checkpoint(
      [this, self = shared_from_this()](const std::vector<at::Tensor>& inputs) { return compute(inputs[0]); }, {x},
      parameters());
}

at::Tensor AttentionBlock::compute(const at::Tensor& x) {
  const at::Tensor sequence = norm_->forward(x).flatten(2).transpose(1, 2);
  const at::Tensor h = pointwise(*projOut_, qkvAttention(pointwise(*qkv_, sequence), heads_, order_));
  return x + h.transpose(1, 2).reshape_as(x);
}

AttentionPool2d::AttentionPool2d(int64_t spatialDim, int64_t embedDim, int64_t numHeadChannels, int64_t outputDim)
    : heads_(headsOf(embedDim, 1, numHeadChannels)) {
  const at::Tensor initial = randn({embedDim, spatialDim * spatialDim + 1}, at::TensorOptions().dtype(at::kFloat));
  positionalEmbedding_ = parameter("positional_embedding", initial / std::sqrt(static_cast<double>(embedDim)));
  qkvProj_ = child("qkv_proj", pointwiseConv(embedDim, 3 * embedDim));
  cProj_ = child("c_proj", pointwiseConv(embedDim, outputDim));
}

AttentionPool2d::AttentionPool2d(const Value& params)
    : AttentionPool2d(params.integer("spacial_dim"), params.integer("embed_dim"), params.integer("num_heads_channels"),
                      params.integer(params.has("output_dim") ? "output_dim" : "embed_dim")) {}

at::Tensor AttentionPool2d::forward(const at::Tensor& x) {
  const at::Tensor positions = x.flatten(2);
  at::Tensor h = at::cat({positions.mean(-1, true), positions}, -1);
  h = (h + positionalEmbedding_.unsqueeze(0).to(h.scalar_type())).transpose(1, 2);
  h = qkvAttention(pointwise(*qkvProj_, h), heads_, QkvOrder::QkvFirst);
  return pointwise(*cProj_, h.select(1, 0));
}

REGISTER("ldm.modules.diffusionmodules.openaimodel.AttentionBlock", AttentionBlock);
REGISTER("ldm.modules.diffusionmodules.openaimodel.AttentionPool2d", AttentionPool2d);

}  // namespace ldm::unet
