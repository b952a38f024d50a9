#include "spatial_rescaler.h"

#include <ATen/ATen.h>

#include "../core/registry.h"
#include "interpolate.h"

namespace ldm {

SpatialRescaler::SpatialRescaler(const Value& params)
    : stages_(params.integer("n_stages")), multiplier_(params.number("multiplier")), method_(params.string("method")) {
  if (!params.has("out_channels")) return;
  const ConvOptions options{.bias = params.boolean("bias")};
  channelMapper_ = child("channel_mapper", std::make_shared<Conv>(params.integer("in_channels"),
                                                                  params.integer("out_channels"), 1, options));
}

at::Tensor SpatialRescaler::encode(const Value& input) {
  at::Tensor x = input.asTensor("image");
  for (int64_t stage = 0; stage < stages_; stage++) x = interpolateBy(x, multiplier_, method_);
  return channelMapper_ ? channelMapper_->forward(x) : x;
}

REGISTER("ldm.modules.encoders.modules.SpatialRescaler", SpatialRescaler);

}  // namespace ldm
