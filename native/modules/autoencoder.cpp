#include "autoencoder.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "../core/registry.h"
#include "../kernels/policy.h"

namespace ldm {

using autoencoder::Level;
using autoencoder::MidBlock;

namespace {
std::shared_ptr<Conv> conv3x3(int64_t in, int64_t out) {
  return std::make_shared<Conv>(in, out, 3, ConvOptions{.stride = 1, .padding = 1});
}
// What each block of a level takes: the width before it, then its own.
std::vector<int64_t> widths(int64_t before, int64_t own, int64_t blocks) {
  std::vector<int64_t> in(static_cast<size_t>(blocks), own);
  if (!in.empty()) in.front() = before;
  return in;
}
}  // namespace

NetworkOptions::NetworkOptions(const Value& d)
    : ch(d.integer("ch")),
      outCh(d.integer("out_ch")),
      numResBlocks(d.integer("num_res_blocks")),
      inChannels(d.integer("in_channels")),
      resolution(d.integer("resolution")),
      chMult(d.ints("ch_mult")),
      attnResolutions(d.ints("attn_resolutions")),
      dropout(d.number("dropout")),
      resampWithConv(d.boolean("resamp_with_conv")),
      attnType(d.boolean("use_linear_attn") ? "linear" : d.string("attn_type")) {
  if (chMult.empty()) invalid("Expected at least one level in ch_mult but received an empty list");
}

bool NetworkOptions::attendsAt(int64_t at) const {
  return std::find(attnResolutions.begin(), attnResolutions.end(), at) != attnResolutions.end();
}

Encoder::Encoder(const Value& ddconfig) {
  const NetworkOptions o(ddconfig);
  const int64_t zChannels = ddconfig.integer("z_channels");
  const int64_t levels = static_cast<int64_t>(o.chMult.size());
  convIn_ = child("conv_in", conv3x3(o.inChannels, o.ch));
  child("down", down_);
  int64_t resolution = o.resolution, width = o.ch;
  for (int64_t i = 0; i < levels; ++i) {
    const int64_t out = o.ch * o.chMult[i];
    auto level = std::make_shared<Level>(Level::Options{.in = widths(width, out, o.numResBlocks),
                                                        .out = out,
                                                        .dropout = o.dropout,
                                                        .attend = o.attendsAt(resolution),
                                                        .attention = o.attnType});
    width = o.numResBlocks > 0 ? out : width;
    if (i != levels - 1) {
      level->setResample("downsample", std::make_shared<autoencoder::Downsample>(width, o.resampWithConv));
      resolution /= 2;
    }
    down_->append(level);
  }
  mid_ = child("mid", std::make_shared<MidBlock>(width, o.dropout, o.attnType));
  normOut_ = child("norm_out", autoencoder::normalize(width));
  convOut_ = child("conv_out", conv3x3(width, ddconfig.boolean("double_z") ? 2 * zChannels : zChannels));
}

at::Tensor Encoder::byRows(const at::Tensor& x) {
  rows::Rows h = rows::held(rows::convolved(rows::whole(inFastLayout(x)), convIn_));
  for (const auto& level : *down_) h = level->byRows(h);
  const at::Tensor last = mid_->forward(rows::collected(h));
  return convOut_->forward(normOut_->forwardSilu(last, autoencoder::swish));
}

at::Tensor Encoder::forward(const at::Tensor& x) {
  if (rows::wanted(x, 1)) return byRows(x);
  at::Tensor h = convIn_->forward(inFastLayout(x));
  for (const auto& level : *down_) h = level->mapped(std::move(h));
  h = mid_->forward(h);
  return convOut_->forward(autoencoder::normalizedSilu(std::move(h), *normOut_));
}

Decoder::Decoder(const Value& ddconfig)
    : givePreEnd_(ddconfig.boolean("give_pre_end")), tanhOut_(ddconfig.boolean("tanh_out")) {
  const NetworkOptions o(ddconfig);
  const int64_t zChannels = ddconfig.integer("z_channels");
  const int64_t levels = static_cast<int64_t>(o.chMult.size());
  int64_t width = o.ch * o.chMult.back();
  int64_t resolution = o.resolution >> (levels - 1);
  convIn_ = child("conv_in", conv3x3(zChannels, width));
  mid_ = child("mid", std::make_shared<MidBlock>(width, o.dropout, o.attnType));
  child("up", up_);
  // Made from the lowest resolution up (the order of random draws), named from the highest down (the order of keys).
  std::vector<std::shared_ptr<Level>> made;
  for (int64_t i = levels - 1; i >= 0; --i) {
    const int64_t out = o.ch * o.chMult[i];
    auto level = std::make_shared<Level>(Level::Options{.in = widths(width, out, o.numResBlocks + 1),
                                                        .out = out,
                                                        .dropout = o.dropout,
                                                        .attend = o.attendsAt(resolution),
                                                        .attention = o.attnType});
    width = out;
    if (i != 0) {
      level->setResample("upsample", std::make_shared<autoencoder::Upsample>(width, o.resampWithConv));
      resolution *= 2;
    }
    made.push_back(level);
  }
  for (auto it = made.rbegin(); it != made.rend(); ++it) up_->append(*it);
  normOut_ = child("norm_out", autoencoder::normalize(width));
  convOut_ = child("conv_out", conv3x3(width, o.outCh));
}

at::Tensor Decoder::byRows(const at::Tensor& z) {
  rows::Rows h = rows::whole(mid_->forward(convIn_->forward(inFastLayout(z))));
  for (size_t i = up_->size(); i-- > 0;) h = (*up_)[i].byRows(h);
  if (givePreEnd_) return rows::collected(h);
  h = rows::convolved(rows::normalized(h, normOut_, autoencoder::kGroups, autoencoder::kEps, /*silu=*/true), convOut_);
  return rows::collected(tanhOut_ ? rows::mapped(h, [](const at::Tensor& t) { return at::tanh(t); }) : h);
}

at::Tensor Decoder::forward(const at::Tensor& z) {
  if (rows::wanted(z, int64_t{1} << (up_->size() - 1))) return byRows(z);
  at::Tensor h = mid_->forward(convIn_->forward(inFastLayout(z)));
  for (size_t i = up_->size(); i-- > 0;) h = (*up_)[i].mapped(std::move(h));
  if (givePreEnd_) return h;
  h = convOut_->forward(autoencoder::normalizedSilu(std::move(h), *normOut_));
  return tanhOut_ ? at::tanh(h) : h;
}

REGISTER("ldm.modules.diffusionmodules.model.Encoder", Encoder);
REGISTER("ldm.modules.diffusionmodules.model.Decoder", Decoder);

}  // namespace ldm
