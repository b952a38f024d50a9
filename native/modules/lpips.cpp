#include "lpips.h"

#include <ATen/ATen.h>

#include "../core/random.h"
#include "../core/registry.h"

namespace ldm {

namespace {
constexpr double kDropout = 0.5;
constexpr std::array<int64_t, 5> kChannels{64, 128, 256, 512, 512};
constexpr std::array<int, 5> kConvolutions{2, 2, 3, 3, 3};

at::Tensor normalized(const at::Tensor& x) { return x / (x.pow(2).sum(1, true).sqrt() + 1e-10); }
}  // namespace

VggFeatures::VggFeatures() {
  int layer = 0;
  int64_t in = 3;
  for (size_t s = 0; s < slices_.size(); ++s) {
    auto slice = std::make_shared<Sequential>();
    auto add = [&](std::shared_ptr<Layer> l) { slice->appendAs(std::to_string(layer++), std::move(l)); };
    if (s > 0) add(std::make_shared<Activation>([](const at::Tensor& x) { return at::max_pool2d(x, {2, 2}, {2, 2}); }));
    for (int i = 0; i < kConvolutions[s]; ++i) {
      auto conv = std::make_shared<Conv>(in, kChannels[s], 3, ConvOptions{.stride = 1, .padding = 1});
      add(conv->zeroed());
      add(Activation::relu());
      in = kChannels[s];
    }
    slices_[s] = child("slice" + std::to_string(s + 1), slice);
  }
}

std::array<at::Tensor, 5> VggFeatures::forward(const at::Tensor& x) {
  std::array<at::Tensor, 5> features;
  at::Tensor h = x;
  for (size_t s = 0; s < slices_.size(); ++s) {
    poll();
    h = features[s] = slices_[s]->forward(h);
  }
  return features;
}

bool VggFeatures::loaded() const {
  for (const auto& [name, tensor] : namedParameters())
    if (tensor.dim() == 4 && !tensor.any().item<bool>()) return false;
  return true;
}

class LPIPS::ScalingLayer : public Module {
 public:
  ScalingLayer() {
    shift = buffer("shift", at::tensor({-.030, -.088, -.188}, at::kFloat).view({1, 3, 1, 1}));
    scale = buffer("scale", at::tensor({.458, .448, .450}, at::kFloat).view({1, 3, 1, 1}));
  }
  at::Tensor shift, scale;
};

class LPIPS::NetLinLayer : public Module {
 public:
  NetLinLayer(int64_t channels, bool useDropout) {
    if (useDropout) model_->append(std::make_shared<Dropout>(kDropout));
    model_->append(std::make_shared<Conv>(channels, 1, 1, ConvOptions{.stride = 1, .padding = 0, .bias = false}));
    child("model", model_);
  }
  at::Tensor forward(const at::Tensor& x) { return model_->forward(x); }

 private:
  std::shared_ptr<Sequential> model_ = std::make_shared<Sequential>();
};

LPIPS::LPIPS(bool useDropout) : useDropout_(useDropout) {
  auto scaling = child("scaling_layer", std::make_shared<ScalingLayer>());
  shift_ = scaling->shift;
  scale_ = scaling->scale;
  net_ = child("net", std::make_shared<VggFeatures>());
  for (size_t i = 0; i < lins_.size(); ++i)
    lins_[i] = child("lin" + std::to_string(i), std::make_shared<NetLinLayer>(kChannels[i], useDropout));
  requiresGrad(false);
  method("forward", [this](const Value& args) -> Value {
    return Map{{"value", forward(args.tensor("input"), args.tensor("target"))}};
  });
  method("features", [this](const Value& args) -> Value {
    auto features = net_->forward(scaled(args.tensor("x")));
    return Map{{"features", Value::fromTensors({features.begin(), features.end()})}};
  });
  method("perceptualReady", [this](const Value&) -> Value { return Map{{"ready", loaded()}}; });
}

LPIPS::LPIPS(const Value& params) : LPIPS(params.boolean("use_dropout")) {}

at::Tensor LPIPS::scaled(const at::Tensor& x) const { return (x - shift_) / scale_; }

at::Tensor LPIPS::forward(const at::Tensor& input, const at::Tensor& target) {
  auto a = net_->forward(scaled(input));
  auto b = net_->forward(scaled(target));
  const auto dtype = target.scalar_type();
  at::Tensor value;
  for (size_t i = 0; i < lins_.size(); ++i) {
    // Under autocast features are in half precision, in which their squares would overflow.
    at::Tensor difference = (normalized(a[i].to(dtype)) - normalized(b[i].to(dtype))).pow(2);
    at::Tensor term = lins_[i]->forward(difference).to(dtype).mean(at::IntArrayRef{2, 3}, /*keepdim=*/true);
    value = value.defined() ? value + term : term;
  }
  return value;
}

void LPIPS::skip(const at::Tensor& x) {
  if (!training() || !useDropout_) return;
  int64_t height = x.size(2), width = x.size(3);
  for (size_t i = 0; i < kChannels.size(); ++i) {
    if (i > 0) {
      height /= 2;
      width /= 2;
    }
    randomFor(x.device())
        .skip("keepmask", {x.size(0), kChannels[i], height, width}, x.options().requires_grad(false), kDropout);
  }
}

REGISTER("taming.modules.losses.lpips.LPIPS", LPIPS);

}  // namespace ldm
