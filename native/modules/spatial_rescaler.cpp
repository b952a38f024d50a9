#include "spatial_rescaler.h"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "../core/registry.h"

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
  for (int64_t stage = 0; stage < stages_; stage++) x = resized(x);
  return channelMapper_ ? channelMapper_->forward(x) : x;
}

/// torch.nn.functional.interpolate(x, scale_factor=multiplier, mode=method)
at::Tensor SpatialRescaler::resized(const at::Tensor& x) const {
  const int64_t dims = x.dim() - 2;
  const std::vector<double> factors(dims < 0 ? 0 : dims, multiplier_);
  if (method_ == "area") {
    std::vector<int64_t> size;
    for (int64_t i = 0; i < dims; i++)
      size.push_back(static_cast<int64_t>(std::floor(static_cast<double>(x.size(i + 2)) * multiplier_)));
    if (dims == 1) return at::adaptive_avg_pool1d(x, size);
    if (dims == 2) return at::adaptive_avg_pool2d(x, size);
    if (dims == 3) return at::adaptive_avg_pool3d(x, size);
  }
  const auto none = c10::OptionalArrayRef<int64_t>();
  if (method_ == "nearest") {
    if (dims == 1) return at::upsample_nearest1d(x, none, factors);
    if (dims == 2) return at::upsample_nearest2d(x, none, factors);
    if (dims == 3) return at::upsample_nearest3d(x, none, factors);
  }
  if (method_ == "linear" && dims == 1) return at::upsample_linear1d(x, none, false, factors);
  if (method_ == "bilinear" && dims == 2) return at::upsample_bilinear2d(x, none, false, factors);
  if (method_ == "trilinear" && dims == 3) return at::upsample_trilinear3d(x, none, false, factors);
  if (method_ == "bicubic" && dims == 2) return at::upsample_bicubic2d(x, none, false, factors);
  invalid("SpatialRescaler cannot resize " + Value(x).describe() + " with the method '" + method_ + "'");
}

REGISTER("ldm.modules.encoders.modules.SpatialRescaler", SpatialRescaler);

}  // namespace ldm
