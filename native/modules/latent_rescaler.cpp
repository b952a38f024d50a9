// After ldm/modules/diffusionmodules/model.py.
#include "latent_rescaler.h"

#include <ATen/ATen.h>

#include <cmath>

#include "../core/registry.h"
#include "interpolate.h"

namespace ldm {

using autoencoder::ResnetBlock;

LatentRescaler::LatentRescaler(const Options& o) : factor_(o.factor) {
  const auto blocks = [&] {
    auto list = std::make_shared<ModuleList<ResnetBlock>>();
    for (int64_t i = 0; i < o.depth; ++i)
      list->append(
          std::make_shared<ResnetBlock>(autoencoder::ResnetBlockOptions{.in = o.mid, .out = o.mid, .dropout = 0}));
    return list;
  };
  convIn_ = child("conv_in", std::make_shared<Conv>(o.in, o.mid, 3, ConvOptions{.stride = 1, .padding = 1}));
  resBlock1_ = child("res_block1", blocks());
  attn_ = child("attn", std::make_shared<autoencoder::AttnBlock>(o.mid));
  resBlock2_ = child("res_block2", blocks());
  convOut_ = child("conv_out", std::make_shared<Conv>(o.mid, o.out, 1));
}

LatentRescaler::LatentRescaler(const Value& p)
    : LatentRescaler(Options{.factor = p.number("factor"),
                             .in = p.integer("in_channels"),
                             .mid = p.integer("mid_channels"),
                             .out = p.integer("out_channels"),
                             .depth = p.integer("depth")}) {}

at::Tensor LatentRescaler::forward(const at::Tensor& x) {
  at::Tensor h = convIn_->forward(x);
  for (const auto& block : *resBlock1_) h = block->forward(h);
  const auto scaled = [this](int64_t size) {
    return static_cast<int64_t>(std::nearbyint(static_cast<double>(size) * factor_));
  };
  h = attn_->forward(interpolateNearest(h, scaled(h.size(2)), scaled(h.size(3))));
  for (const auto& block : *resBlock2_) h = block->forward(h);
  return convOut_->forward(h);
}

namespace {

// The options of an encoder or decoder: those that both merged modules take, with their own channels.
Map coderOptions(const Value& p, int64_t zChannels, int64_t inChannels, int64_t outChannels) {
  Map options{{"z_channels", zChannels},  {"in_channels", inChannels}, {"out_ch", outChannels},
              {"double_z", false},        {"give_pre_end", false},     {"tanh_out", false},
              {"use_linear_attn", false}, {"attn_type", "vanilla"}};
  for (const char* key :
       {"ch", "ch_mult", "num_res_blocks", "attn_resolutions", "dropout", "resamp_with_conv", "resolution"})
    options.set(key, p.get(key));
  return options;
}

std::shared_ptr<LatentRescaler> rescalerOf(const Value& p, int64_t in, int64_t mid, int64_t out) {
  return std::make_shared<LatentRescaler>(LatentRescaler::Options{.factor = p.number("rescale_factor"),
                                                                  .in = in,
                                                                  .mid = mid,
                                                                  .out = out,
                                                                  .depth = p.integer("rescale_module_depth")});
}

}  // namespace

MergedRescaleEncoder::MergedRescaleEncoder(const Value& p) {
  const int64_t width = p.integer("ch") * p.ints("ch_mult").back(), out = p.integer("out_ch");
  encoder_ = child("encoder", std::make_shared<Encoder>(coderOptions(p, width, p.integer("in_channels"), out)));
  rescaler_ = child("rescaler", rescalerOf(p, width, width, out));
}

MergedRescaleDecoder::MergedRescaleDecoder(const Value& p) {
  const int64_t z = p.integer("z_channels"), width = z * p.ints("ch_mult").back(), out = p.integer("out_ch");
  decoder_ = child("decoder", std::make_shared<Decoder>(coderOptions(p, width, out, out)));
  rescaler_ = child("rescaler", rescalerOf(p, z, width, width));
}

Upsampler::Upsampler(const Value& p) {
  const int64_t inSize = p.integer("in_size"), outSize = p.integer("out_size"), in = p.integer("in_channels");
  if (outSize < inSize)
    invalid("An Upsampler needs an out_size of at least its in_size, but received " + std::to_string(outSize) +
            " for an in_size of " + std::to_string(inSize));
  rescaler_ =
      child("rescaler",
            std::make_shared<LatentRescaler>(LatentRescaler::Options{
                .factor = 1. + static_cast<double>(outSize % inSize), .in = in, .mid = 2 * in, .out = in, .depth = 2}));
  const auto levels = static_cast<size_t>(std::log2(static_cast<double>(outSize / inSize))) + 1;
  const Map decoder{{"ch", in},
                    {"ch_mult", Value::fromInts(std::vector<int64_t>(levels, p.integer("ch_mult")))},
                    {"num_res_blocks", 2},
                    {"attn_resolutions", List{}},
                    {"dropout", 0.},
                    {"resamp_with_conv", true},
                    {"resolution", outSize}};
  const int64_t out = p.integer("out_channels");
  decoder_ = child("decoder", std::make_shared<Decoder>(coderOptions(decoder, in, out, out)));
}

REGISTER("ldm.modules.diffusionmodules.model.LatentRescaler", LatentRescaler);
REGISTER("ldm.modules.diffusionmodules.model.MergedRescaleEncoder", MergedRescaleEncoder);
REGISTER("ldm.modules.diffusionmodules.model.MergedRescaleDecoder", MergedRescaleDecoder);
REGISTER("ldm.modules.diffusionmodules.model.Upsampler", Upsampler);

}  // namespace ldm
