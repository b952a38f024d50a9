#include "autoencoder_blocks.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <utility>

#include "../core/random.h"
#include "../core/registry.h"
#include "../kernels/attention.h"
#include "../kernels/conv2d.h"
#include "../kernels/group_norm.h"
#include "../kernels/policy.h"

namespace ldm::autoencoder {

namespace {
std::shared_ptr<Conv> conv3x3(int64_t in, int64_t out) {
  return std::make_shared<Conv>(in, out, 3, ConvOptions{.stride = 1, .padding = 1});
}
std::shared_ptr<Conv> conv1x1(int64_t in, int64_t out, bool bias = true) {
  return std::make_shared<Conv>(in, out, 1, ConvOptions{.stride = 1, .padding = 0, .bias = bias});
}
}  // namespace

at::Tensor swish(const at::Tensor& x) {
  if (!at::GradMode::is_enabled()) return at::sigmoid(x).mul_(x);  // the same product without a third tensor
  return x * at::sigmoid(x);
}

std::shared_ptr<GroupNorm> normalize(int64_t channels) { return std::make_shared<GroupNorm>(kGroups, channels, kEps); }

at::Tensor normalizedSilu(at::Tensor x, GroupNorm& norm) {
  if (needGradients({x, norm.weight, norm.bias}) || !groupNormSuits(x, norm.weight, norm.bias))
    return norm.forwardSilu(x, swish);
  groupNormInPlace(x, kGroups, norm.weight, norm.bias, kEps, /*silu=*/true);
  return x;
}

ResnetBlock::ResnetBlock(const ResnetBlockOptions& o) : dropout_(o.dropout) {
  norm1_ = child("norm1", normalize(o.in));
  conv1_ = child("conv1", conv3x3(o.in, o.out));
  if (o.tembChannels > 0) tembProj_ = child("temb_proj", std::make_shared<Linear>(o.tembChannels, o.out));
  norm2_ = child("norm2", normalize(o.out));
  conv2_ = child("conv2", conv3x3(o.out, o.out));
  if (o.in != o.out)
    shortcut_ =
        o.convShortcut ? child("conv_shortcut", conv3x3(o.in, o.out)) : child("nin_shortcut", conv1x1(o.in, o.out));
  method("forward", [this](const Value& args) -> Value {
    return Map{{"y", forward(args.tensor("x"), args.optTensor("temb"))}};
  });
}

ResnetBlock::ResnetBlock(const Value& p)
    : ResnetBlock(ResnetBlockOptions{.in = p.integer("in_channels"),
                                     .out = p.integer(p.has("out_channels") ? "out_channels" : "in_channels"),
                                     .dropout = p.number("dropout"),
                                     .tembChannels = p.integer("temb_channels"),
                                     .convShortcut = p.boolean("conv_shortcut")}) {}

at::Tensor ResnetBlock::forward(at::Tensor x, const at::Tensor& temb) {
  poll();
  at::Tensor h = norm1_->forwardSilu(x, swish);
  if (shortcut_) x = shortcut_->forward(x);  // before the other convolutions, so that a wider input is free for them
  h = conv1_->forward(h);
  if (temb.defined()) h = h + tembProj_->forward(swish(temb)).unsqueeze(-1).unsqueeze(-1);
  h = ldm::dropout(normalizedSilu(std::move(h), *norm2_), dropout_, training());
  h = conv2_->forward(h);
  const bool inPlace = !at::GradMode::is_enabled() && h.scalar_type() == x.scalar_type();
  return inPlace ? h.add_(x) : x + h;
}

rows::Rows ResnetBlock::byRows(const rows::Rows& x) {
  const rows::Rows h =
      rows::heldBeside(rows::convolved(rows::normalized(x, norm1_, kGroups, kEps, /*silu=*/true), conv1_));
  const rows::Rows change = rows::convolved(rows::normalized(h, norm2_, kGroups, kEps, /*silu=*/true), conv2_);
  if (!shortcut_) return rows::sum(x, change);
  if (shortcut_->weight.size(2) == 3) return rows::sum(rows::convolved(x, shortcut_), change);
  return rows::sum(rows::mapped(x, [c = shortcut_](const at::Tensor& t) { return c->forward(t); }), change);
}

Upsample::Upsample(int64_t channels, bool withConv) {
  if (withConv) conv_ = child("conv", conv3x3(channels, channels));
}
at::Tensor Upsample::forward(const at::Tensor& x) {
  if (conv_) return doubledConv2d(x, conv_->weight, conv_->bias);
  return at::upsample_nearest2d(x, {x.size(2) * 2, x.size(3) * 2}, 2.0, 2.0);
}

rows::Rows Upsample::byRows(const rows::Rows& x) { return rows::doubled(x, conv_); }

Downsample::Downsample(int64_t channels, bool withConv) {
  if (withConv)
    conv_ = child("conv", std::make_shared<Conv>(channels, channels, 3, ConvOptions{.stride = 2, .padding = 0}));
}
at::Tensor Downsample::forward(const at::Tensor& x) {
  if (!conv_) return at::avg_pool2d(x, {2, 2}, {2, 2});
  return conv_->forward(at::constant_pad_nd(x, {0, 1, 0, 1}, 0));
}

rows::Rows Downsample::byRows(const rows::Rows& x) {
  if (!conv_) return rows::halved(x, 0, [](const at::Tensor& t, bool) { return at::avg_pool2d(t, {2, 2}, {2, 2}); });
  return rows::halved(x, 1, [conv = conv_](const at::Tensor& t, bool beyond) {
    return conv->forward(at::constant_pad_nd(t, {0, 1, 0, beyond ? 1 : 0}, 0));
  });
}

AttnBlock::AttnBlock(int64_t channels) {
  norm_ = child("norm", normalize(channels));
  q_ = child("q", conv1x1(channels, channels));
  k_ = child("k", conv1x1(channels, channels));
  v_ = child("v", conv1x1(channels, channels));
  projOut_ = child("proj_out", conv1x1(channels, channels));
}
at::Tensor AttnBlock::forward(const at::Tensor& x) {
  poll();
  const int64_t b = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3);
  at::Tensor normed = norm_->forward(x);
  at::Tensor q = q_->forward(normed), k = k_->forward(normed), v = v_->forward(normed);
  if (!at::GradMode::is_enabled()) {
    // the same without ever holding all h w by h w weights
    const auto tokens = [&](const at::Tensor& t) { return t.flatten(2).transpose(1, 2).unsqueeze(1); };
    const at::Tensor out = attention(tokens(q), tokens(k), tokens(v), std::pow(static_cast<double>(c), -0.5));
    return x + projOut_->forward(out.squeeze(1).transpose(1, 2).unflatten(2, {h, w}));
  }
  q = q.reshape({b, c, h * w}).permute({0, 2, 1});
  k = k.reshape({b, c, h * w});
  v = v.reshape({b, c, h * w});
  // weights[b, i, j]: how much position i takes from position j
  at::Tensor weights = at::softmax(at::bmm(q, k) * std::pow(static_cast<double>(c), -0.5), 2);
  at::Tensor out = at::bmm(v, weights.permute({0, 2, 1})).reshape({b, c, h, w});
  return x + projOut_->forward(out);
}

LinAttnBlock::LinAttnBlock(int64_t channels) {
  toQkv_ = child("to_qkv", conv1x1(channels, 3 * channels, /*bias=*/false));
  toOut_ = child("to_out", conv1x1(channels, channels));
}
at::Tensor LinAttnBlock::forward(const at::Tensor& x) {
  poll();
  const int64_t b = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3);
  auto qkv = toQkv_->forward(x).reshape({b, 3, c, h * w}).unbind(1);
  at::Tensor context = at::bmm(at::softmax(qkv[1], -1), qkv[2].transpose(1, 2));  // [b, c of k, c of v]
  at::Tensor out = at::bmm(context.transpose(1, 2), qkv[0]);
  return toOut_->forward(out.reshape({b, c, h, w}));
}

std::shared_ptr<Layer> makeAttention(int64_t channels, const std::string& type) {
  if (type == "vanilla") return std::make_shared<AttnBlock>(channels);
  if (type == "linear") return std::make_shared<LinAttnBlock>(channels);
  if (type == "none") return std::make_shared<Identity>();
  invalid("Expected 'vanilla', 'linear' or 'none' for attn_type but received '" + type + "'");
}

MidBlock::MidBlock(int64_t channels, double dropout, const std::string& attention, int64_t tembChannels) {
  const ResnetBlockOptions options{.in = channels, .out = channels, .dropout = dropout, .tembChannels = tembChannels};
  block1_ = child("block_1", std::make_shared<ResnetBlock>(options));
  attn1_ = child("attn_1", makeAttention(channels, attention));
  block2_ = child("block_2", std::make_shared<ResnetBlock>(options));
}
at::Tensor MidBlock::forward(const at::Tensor& x, const at::Tensor& temb) {
  return block2_->forward(attn1_->forward(block1_->forward(x, temb)), temb);
}

Level::Level(const Options& o) {
  child("block", block_);
  child("attn", attn_);
  for (int64_t in : o.in) {
    block_->append(std::make_shared<ResnetBlock>(
        ResnetBlockOptions{.in = in, .out = o.out, .dropout = o.dropout, .tembChannels = o.tembChannels}));
    if (o.attend) attn_->append(makeAttention(o.out, o.attention));
  }
}
at::Tensor Level::block(size_t i, at::Tensor x, const at::Tensor& temb) const {
  const at::Tensor h = (*block_)[i].forward(std::move(x), temb);
  return attn_->size() > 0 ? (*attn_)[i].forward(h) : h;
}
at::Tensor Level::mapped(at::Tensor x) const {
  for (size_t i = 0; i < size(); ++i) x = block(i, std::move(x), {});
  return resample(x);
}

rows::Rows Level::byRows(const rows::Rows& x) const {
  rows::Rows h = x;
  for (size_t i = 0; i < size(); ++i) {
    h = rows::held((*block_)[i].byRows(h));
    if (attn_->size() > 0) h = rows::whole((*attn_)[i].forward(rows::collected(h)));
  }
  const auto resample = std::dynamic_pointer_cast<rows::ByRows>(resample_);
  return resample ? rows::held(resample->byRows(h)) : h;
}

REGISTER("ldm.modules.diffusionmodules.model.ResnetBlock", ResnetBlock);
REGISTER("ldm.modules.diffusionmodules.model.Upsample", Upsample);
REGISTER("ldm.modules.diffusionmodules.model.Downsample", Downsample);
REGISTER("ldm.modules.diffusionmodules.model.AttnBlock", AttnBlock);
REGISTER("ldm.modules.diffusionmodules.model.LinAttnBlock", LinAttnBlock);

}  // namespace ldm::autoencoder
