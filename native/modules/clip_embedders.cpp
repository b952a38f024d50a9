// CLIP as a condition, after ldm/modules/encoders/modules.py. Departures: the weights come with a checkpoint, nothing
// is downloaded; images are resized to the model's own resolution, which the reference fixes at 224.
#include "clip_embedders.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "../core/registry.h"

namespace ldm {

namespace {

/// Values of a Gaussian at the centres of `size` pixels, with the sum 1 (kornia.filters.get_gaussian_kernel1d).
at::Tensor gaussian(int64_t size, double sigma, const at::TensorOptions& options) {
  const at::Tensor x = at::arange(size, options) - static_cast<double>(size / 2);
  const at::Tensor values = at::exp(-x.pow(2) / (2 * sigma * sigma));
  return values / values.sum();
}

/// What kornia.geometry.resize does with antialias before it makes an image smaller.
at::Tensor blurred(const at::Tensor& x, double factorH, double factorW) {
  const auto sigmaOf = [](double factor) { return std::max((factor - 1) / 2, 0.001); };
  const auto sizeOf = [](double sigma) { return static_cast<int64_t>(std::max(4 * sigma, 3.0)) | 1; };
  const double sigmaH = sigmaOf(factorH), sigmaW = sigmaOf(factorW);
  const int64_t kh = sizeOf(sigmaH), kw = sizeOf(sigmaW), channels = x.size(1);
  const at::Tensor padded = at::reflection_pad2d(x, {kw / 2, kw / 2, kh / 2, kh / 2});
  const auto kernel = [&](int64_t size, double sigma, at::IntArrayRef shape) {
    return gaussian(size, sigma, x.options()).view(shape).expand({channels, -1, -1, -1});
  };
  const std::vector<int64_t> one{1, 1}, none{0, 0};
  const auto convolved = [&](const at::Tensor& image, const at::Tensor& weight) {
    return at::conv2d(image, weight, {}, one, none, one, channels);
  };
  const at::Tensor rows = convolved(padded, kernel(kw, sigmaW, {1, 1, 1, kw}));
  return convolved(rows, kernel(kh, sigmaH, {1, 1, kh, 1}));
}

at::Tensor perChannel(std::initializer_list<float> values) {
  return at::tensor(at::ArrayRef<float>(values)).view({1, 3, 1, 1});
}

}  // namespace

FrozenCLIPTextEmbedder::FrozenCLIPTextEmbedder(const Value& params)
    : repeat_(params.integer("n_repeat")), normalize_(params.boolean("normalize")) {
  model_ = child("model", std::make_shared<Clip>(ClipOptions::from(params.get("version"))));
  method("forward", [this](const Value& args) -> Value { return Map{{"y", forward(args.tensor("x"))}}; });
}

at::Tensor FrozenCLIPTextEmbedder::forward(const at::Tensor& tokens) {
  const at::Tensor z = model_->encodeText(tokens);
  return normalize_ ? z / at::norm(z, 2, {1}, /*keepdim=*/true) : z;
}

at::Tensor FrozenCLIPTextEmbedder::encode(const Value& input) {
  return forward(input.asTensor("token ids")).unsqueeze(1).repeat({1, repeat_, 1});
}

FrozenClipImageEmbedder::FrozenClipImageEmbedder(const Value& params) : antialias_(params.boolean("antialias")) {
  const ClipOptions options = ClipOptions::from(params.get("model"));
  resolution_ = options.imageResolution;
  model_ = child("model", std::make_shared<Clip>(options));
  mean_ = buffer("mean", perChannel({0.48145466f, 0.4578275f, 0.40821073f}), /*persistent=*/false);
  std_ = buffer("std", perChannel({0.26862954f, 0.26130258f, 0.27577711f}), /*persistent=*/false);
  method("preprocess", [this](const Value& args) -> Value { return Map{{"y", preprocess(args.tensor("x"))}}; });
}

at::Tensor FrozenClipImageEmbedder::preprocess(const at::Tensor& image) const {
  if (image.dim() != 4 || image.size(1) != 3)
    invalid("Expected images of shape [n, 3, h, w], but received " + Value(image).describe());
  at::Tensor x = image;
  if (x.size(2) != resolution_ || x.size(3) != resolution_) {
    const auto factor = [&](int64_t dim) {
      return static_cast<double>(x.size(dim)) / static_cast<double>(resolution_);
    };
    if (antialias_ && std::max(factor(2), factor(3)) > 1) x = blurred(x, factor(2), factor(3));
    x = at::upsample_bicubic2d(x, {resolution_, resolution_}, /*align_corners=*/true);
  }
  return ((x + 1.) / 2. - mean_) / std_;
}

at::Tensor FrozenClipImageEmbedder::encode(const Value& input) {
  return model_->encodeImage(preprocess(input.asTensor("image")));
}

REGISTER("ldm.modules.encoders.modules.FrozenCLIPTextEmbedder", FrozenCLIPTextEmbedder);
REGISTER("ldm.modules.encoders.modules.FrozenClipImageEmbedder", FrozenClipImageEmbedder);

}  // namespace ldm
