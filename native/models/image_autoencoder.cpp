#include "image_autoencoder.h"

#include <ATen/ATen.h>

#include "../core/random.h"
#include "../core/registry.h"

namespace ldm {

ImageAutoencoder::ImageAutoencoder(const Value& params) : imageKey_(params.string("image_key")) {
  method("getInput", [this](const Value& args) -> Value {
    return Map{{"x", getInput(args.get("batch"), args.has("key") ? args.string("key") : imageKey_)}};
  });
  method("toRgb", [this](const Value& args) -> Value { return Map{{"x", toRgb(args.tensor("x"))}}; });
  method("getLastLayer", [this](const Value&) -> Value { return Map{{"weight", lastLayer()}}; });
}

void ImageAutoencoder::addCoders(const Value& ddconfig) {
  encoder_ = child("encoder", std::make_shared<Encoder>(ddconfig));
  decoder_ = child("decoder", std::make_shared<Decoder>(ddconfig));
}

void ImageAutoencoder::addLoss(const Value& lossconfig) { loss_ = child("loss", createFromConfig<Module>(lossconfig)); }

void ImageAutoencoder::addLatentConvolutions(int64_t inChannels, int64_t moments, int64_t embedDim, int64_t zChannels) {
  quantConv_ = child("quant_conv", std::make_shared<Conv>(inChannels, moments, 1));
  postQuantConv_ = child("post_quant_conv", std::make_shared<Conv>(embedDim, zChannels, 1));
}

void ImageAutoencoder::addColorize(const Value& params) {
  if (params.has("colorize_nlabels"))
    colorize_ = buffer("colorize", randn({3, params.integer("colorize_nlabels"), 1, 1}, at::kFloat));
}

at::Tensor ImageAutoencoder::encodeMoments(const at::Tensor& x) {
  return quantConv_->forward(encoder_->forward(x)).to(x.scalar_type());
}

at::Tensor ImageAutoencoder::decodeFirst(const at::Tensor& z, bool) {
  return decoder_->forward(postQuantConv_->forward(z)).to(z.scalar_type());
}

at::Tensor ImageAutoencoder::getInput(const Value& batch, const std::string& key) {
  at::Tensor x = batch.tensor(key);
  if (x.dim() == 3) x = x.unsqueeze(-1);
  if (x.dim() != 4)
    invalid("Expected images of shape [batch, height, width, channels] or [batch, height, width] for '" + key +
            "' but received " + Value(x).describe());
  return x.permute({0, 3, 1, 2}).to(device(), at::kFloat).contiguous();
}

at::Tensor ImageAutoencoder::toRgb(const at::Tensor& x) {
  if (imageKey_ != "segmentation")
    invalid("Only models with image_key 'segmentation' turn maps into colours; this one has '" + imageKey_ + "'");
  if (!colorize_.defined())
    colorize_ = buffer("colorize", randn({3, x.size(1), 1, 1}, x.options().requires_grad(false)));
  at::Tensor rgb = at::conv2d(x, colorize_);
  at::Tensor low = rgb.min(), high = rgb.max();
  return 2.0 * (rgb - low) / (high - low) - 1.0;
}

}  // namespace ldm
