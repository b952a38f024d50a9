// After Model of ldm/modules/diffusionmodules/model.py (from pytorch_diffusion).
#include "ddpm_unet.h"

#include <ATen/ATen.h>

#include "../core/registry.h"
#include "autoencoder.h"
#include "timestep_embedding.h"

namespace ldm {

using autoencoder::Level;
using autoencoder::MidBlock;

namespace {

// `temb`: a module of its own, so that the keys are temb.dense.0.weight, ...
class TimestepDense : public Module {
 public:
  explicit TimestepDense(std::shared_ptr<ModuleList<Linear>> dense) { child("dense", std::move(dense)); }
};

}  // namespace

DDPMUNet::DDPMUNet(const Value& params) {
  const NetworkOptions o(params);
  ch_ = o.ch;
  inChannels_ = o.inChannels;
  const int64_t temb = 4 * o.ch;
  const size_t levels = o.chMult.size();
  const auto conv3x3 = [](int64_t in, int64_t out) {
    return std::make_shared<Conv>(in, out, 3, ConvOptions{.stride = 1, .padding = 1});
  };
  // Width of the skip connections that a level begins with.
  const auto widthBefore = [&](size_t level) { return o.ch * (level == 0 ? 1 : o.chMult[level - 1]); };
  const auto makeLevel = [&](std::vector<int64_t> in, size_t level, int64_t resolution) {
    return std::make_shared<Level>(Level::Options{.in = std::move(in),
                                                  .out = o.ch * o.chMult[level],
                                                  .dropout = o.dropout,
                                                  .attend = o.attendsAt(resolution),
                                                  .attention = o.attnType,
                                                  .tembChannels = temb});
  };

  if (params.boolean("use_timestep")) {
    dense_ = std::make_shared<ModuleList<Linear>>();
    dense_->append(std::make_shared<Linear>(o.ch, temb));
    dense_->append(std::make_shared<Linear>(temb, temb));
    child("temb", std::make_shared<TimestepDense>(dense_));
  }
  convIn_ = child("conv_in", conv3x3(o.inChannels, o.ch));

  child("down", down_);
  int64_t resolution = o.resolution, width = o.ch;
  for (size_t i = 0; i < levels; ++i) {
    std::vector<int64_t> in(static_cast<size_t>(o.numResBlocks), o.ch * o.chMult[i]);
    width = widthBefore(i);
    if (!in.empty()) {
      in.front() = width;
      width = o.ch * o.chMult[i];
    }
    auto level = makeLevel(std::move(in), i, resolution);
    if (i + 1 != levels) {
      level->setResample("downsample", std::make_shared<autoencoder::Downsample>(width, o.resampWithConv));
      resolution /= 2;
    }
    down_->append(level);
  }

  mid_ = child("mid", std::make_shared<MidBlock>(width, o.dropout, o.attnType, temb));

  child("up", up_);
  // Made from the lowest resolution up (the order of random draws), named from the highest down (the order of keys).
  std::vector<std::shared_ptr<Level>> made;
  for (size_t i = levels; i-- > 0;) {
    std::vector<int64_t> in;
    for (int64_t block = 0; block <= o.numResBlocks; ++block) {
      const bool last = block == o.numResBlocks;
      in.push_back(width + (last ? widthBefore(i) : o.ch * o.chMult[i]));
      width = o.ch * o.chMult[i];
    }
    auto level = makeLevel(std::move(in), i, resolution);
    if (i != 0) {
      level->setResample("upsample", std::make_shared<autoencoder::Upsample>(width, o.resampWithConv));
      resolution *= 2;
    }
    made.push_back(level);
  }
  for (auto it = made.rbegin(); it != made.rend(); ++it) up_->append(*it);

  normOut_ = child("norm_out", autoencoder::normalize(width));
  convOut_ = child("conv_out", conv3x3(width, o.outCh));

  method("forward", [this](const Value& args) -> Value {
    return Map{{"out", forward(args.tensor("x"), args.optTensor("timesteps"), args.optTensor("context"), {})}};
  });
}

at::Tensor DDPMUNet::forward(const at::Tensor& x, const at::Tensor& timesteps, const at::Tensor& context,
                             const at::Tensor& y) {
  if (y.defined()) invalid("The U-Net of the DDPM paper knows no classes, but class labels were given");
  const at::Tensor input = context.defined() ? at::cat({x, context}, 1) : x;
  if (input.dim() != 4 || input.size(1) != inChannels_)
    invalid("The U-Net needs an input of shape [n, " + std::to_string(inChannels_) + ", h, w], but received " +
            Value(input).describe());

  at::Tensor temb;
  if (dense_) {
    if (!timesteps.defined()) invalid("The U-Net needs 'timesteps' [n]");
    temb = (*dense_)[0].forward(ddpmTimestepEmbedding(timesteps, ch_).to(convIn_->weight.scalar_type()));
    temb = (*dense_)[1].forward(autoencoder::swish(temb));
  }

  std::vector<at::Tensor> skips{convIn_->forward(input)};
  const size_t levels = down_->size();
  for (size_t i = 0; i < levels; ++i) {
    const Level& level = (*down_)[i];
    for (size_t block = 0; block < level.size(); ++block) skips.push_back(level.block(block, skips.back(), temb));
    if (i + 1 != levels) skips.push_back(level.resample(skips.back()));
  }
  at::Tensor h = mid_->forward(skips.back(), temb);
  for (size_t i = levels; i-- > 0;) {
    const Level& level = (*up_)[i];
    for (size_t block = 0; block < level.size(); ++block) {
      h = level.block(block, at::cat({h, skips.back()}, 1), temb);
      skips.pop_back();
    }
    h = level.resample(h);
  }
  return convOut_->forward(autoencoder::swish(normOut_->forward(h)));
}

REGISTER("ldm.modules.diffusionmodules.model.Model", DDPMUNet);

}  // namespace ldm
