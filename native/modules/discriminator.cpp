#include "discriminator.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "../core/random.h"
#include "../core/registry.h"

namespace ldm {

ActNorm::ActNorm(int64_t channels) {
  loc = parameter("loc", at::zeros({1, channels, 1, 1}));
  scale = parameter("scale", at::ones({1, channels, 1, 1}));
  initialized = buffer("initialized", at::zeros({}, at::kByte));
}

void ActNorm::initialize(const at::Tensor& x) {
  at::NoGradGuard guard;
  at::Tensor flat = x.transpose(0, 1).reshape({x.size(1), -1});
  loc.copy_(-flat.mean(1).view({1, -1, 1, 1}));
  scale.copy_(1 / (flat.std(1).view({1, -1, 1, 1}) + 1e-6));
  initialized.fill_(1);
}

at::Tensor ActNorm::forward(const at::Tensor& x) {
  if (training() && initialized.item<uint8_t>() == 0) initialize(x);
  return scale * (x + loc);
}

NLayerDiscriminator::NLayerDiscriminator(const DiscriminatorOptions& o) {
  constexpr double kSlope = 0.2;
  child("main", main_);
  auto conv = [&](int64_t in, int64_t out, int64_t stride, bool bias) {
    main_->append(std::make_shared<Conv>(in, out, 4, ConvOptions{.stride = stride, .padding = 1, .bias = bias}));
  };
  auto width = [&](int64_t n) { return o.ndf * std::min<int64_t>(int64_t{1} << n, 8); };
  auto block = [&](int64_t in, int64_t out, int64_t stride) {
    conv(in, out, stride, /*bias=*/o.useActnorm);  // BatchNorm has a bias of its own
    if (o.useActnorm)
      main_->append(std::make_shared<ActNorm>(out));
    else
      main_->append(std::make_shared<BatchNorm2d>(out));
    main_->append(Activation::leakyRelu(kSlope));
  };
  conv(o.inputNc, o.ndf, 2, true);
  main_->append(Activation::leakyRelu(kSlope));
  int64_t in = o.ndf;
  for (int64_t n = 1; n < o.nLayers; ++n) {
    block(in, width(n), 2);
    in = width(n);
  }
  block(in, width(o.nLayers), 1);
  conv(width(o.nLayers), 1, 1, true);
  method("weightsInit", [this](const Value&) -> Value {
    initWeights();
    return {};
  });
}

NLayerDiscriminator::NLayerDiscriminator(const Value& params)
    : NLayerDiscriminator(DiscriminatorOptions{.inputNc = params.integer("input_nc"),
                                               .ndf = params.integer("ndf"),
                                               .nLayers = params.integer("n_layers"),
                                               .useActnorm = params.boolean("use_actnorm")}) {}

at::Tensor NLayerDiscriminator::forward(const at::Tensor& x) {
  // Under autocast the network answers in half precision; losses are computed in the images'.
  return main_->forward(x).to(x.scalar_type());
}

bool NLayerDiscriminator::initialized() const {
  for (size_t i = 0; i < main_->size(); ++i)
    if (auto* norm = dynamic_cast<ActNorm*>(&(*main_)[i]); norm && norm->initialized.item<uint8_t>() == 0) return false;
  return true;
}

void NLayerDiscriminator::initWeights() {
  for (size_t i = 0; i < main_->size(); ++i) {
    Layer& layer = (*main_)[i];
    if (auto* conv = dynamic_cast<Conv*>(&layer)) {
      initNormal(conv->weight, 0.0, 0.02);
    } else if (auto* norm = dynamic_cast<BatchNorm2d*>(&layer)) {
      initNormal(norm->weight, 1.0, 0.02);
      initConstant(norm->bias, 0.0);
    }
  }
}

REGISTER("taming.modules.discriminator.model.NLayerDiscriminator", NLayerDiscriminator);

}  // namespace ldm
