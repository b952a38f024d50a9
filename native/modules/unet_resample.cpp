#include "unet_resample.h"

#include <ATen/ATen.h>

#include "../core/registry.h"
#include "../kernels/conv2d.h"

namespace ldm::unet {

namespace {
int64_t outChannelsOf(const Value& params) {
  return params.integer(params.has("out_channels") ? "out_channels" : "channels");
}
}  // namespace

Upsample::Upsample(int64_t channels, bool useConv, int64_t dims, int64_t outChannels, int64_t padding)
    : dims_(dims), padding_(padding) {
  if (useConv)
    conv_ =
        child("conv", std::make_shared<Conv>(channels, outChannels, 3, ConvOptions{.padding = padding, .dims = dims}));
}

Upsample::Upsample(const Value& params)
    : Upsample(params.integer("channels"), params.boolean("use_conv"), params.integer("dims"), outChannelsOf(params),
               params.integer("padding")) {}

at::Tensor Upsample::forward(const at::Tensor& x) {
  if (conv_ && dims_ == 2 && padding_ == 1) return doubledConv2d(x, conv_->weight, conv_->bias);
  at::Tensor h;
  switch (dims_) {
    case 1:
      h = at::upsample_nearest1d(x, {x.size(2) * 2});
      break;
    case 2:
      h = at::upsample_nearest2d(x, {x.size(2) * 2, x.size(3) * 2});
      break;
    default:
      h = at::upsample_nearest3d(x, {x.size(2), x.size(3) * 2, x.size(4) * 2});
  }
  return conv_ ? conv_->forward(h) : h;
}

Downsample::Downsample(int64_t channels, bool useConv, int64_t dims, int64_t outChannels, int64_t padding)
    : dims_(dims) {
  const ConvOptions options{.stride = 2, .padding = padding, .dims = dims, .strideDepth = false};
  if (useConv)
    op_ = child("op", std::make_shared<Conv>(channels, outChannels, 3, options));
  else if (channels != outChannels)
    invalid("A Downsample without convolution keeps its " + std::to_string(channels) + " channels and cannot give " +
            std::to_string(outChannels));
}

Downsample::Downsample(const Value& params)
    : Downsample(params.integer("channels"), params.boolean("use_conv"), params.integer("dims"), outChannelsOf(params),
                 params.integer("padding")) {}

at::Tensor Downsample::forward(const at::Tensor& x) {
  if (op_) return op_->forward(x);
  switch (dims_) {
    case 1:
      return at::avg_pool1d(x, {2}, {2});
    case 2:
      return at::avg_pool2d(x, {2, 2}, {2, 2});
    default:
      return at::avg_pool3d(x, {1, 2, 2}, {1, 2, 2});
  }
}

TransposedUpsample::TransposedUpsample(int64_t channels, int64_t outChannels, int64_t kernel) {
  up_ = child("up", std::make_shared<ConvTranspose2d>(channels, outChannels, kernel, 2));
}

TransposedUpsample::TransposedUpsample(const Value& params)
    : TransposedUpsample(params.integer("channels"), outChannelsOf(params), params.integer("ks")) {}

REGISTER("ldm.modules.diffusionmodules.openaimodel.Upsample", Upsample);
REGISTER("ldm.modules.diffusionmodules.openaimodel.Downsample", Downsample);
REGISTER("ldm.modules.diffusionmodules.openaimodel.TransposedUpsample", TransposedUpsample);

}  // namespace ldm::unet
