// Elementary layers, after torch.nn (initialisation order: weight, then bias).
#include "layers.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "../core/context.h"
#include "../core/random.h"
#include "../core/registry.h"
#include "../kernels/conv2d.h"
#include "../kernels/group_norm.h"
#include "../kernels/linear.h"
#include "../kernels/policy.h"

namespace ldm {

namespace {

/// Memory for a weight; none on the meta device, where only names and shapes are wanted.
at::Tensor unset(at::IntArrayRef shape) {
  return at::empty(shape, context().init == InitMode::Meta ? at::kMeta : at::kCPU);
}

void initBias(at::Tensor& bias, const at::Tensor& weight) {
  int64_t fanIn = weight.numel() / weight.size(0);
  double bound = fanIn > 0 ? 1.0 / std::sqrt(static_cast<double>(fanIn)) : 0.0;
  initUniform(bias, -bound, bound);
}

at::Tensor filled(at::IntArrayRef shape, double value) {
  at::Tensor t = unset(shape);
  initConstant(t, value);
  return t;
}

}  // namespace

Conv::Conv(int64_t in, int64_t out, int64_t kernel, ConvOptions options) : options_(options) {
  std::vector<int64_t> shape{out, in};
  shape.insert(shape.end(), static_cast<size_t>(options.dims), kernel);
  weight = largeWeight("weight", unset(shape));
  initKaimingUniform(weight);
  if (options.bias) {
    bias = parameter("bias", unset({out}));
    initBias(bias, weight);
  }
}
at::Tensor Conv::forward(const at::Tensor& x) {
  switch (options_.dims) {
    case 1:
      return at::conv1d(x, widened(weight, x), bias, options_.stride, options_.padding);
    case 2:
      return conv2d(x, weight, bias, options_.stride, options_.padding);
    default: {
      const int64_t stride = options_.stride;
      return at::conv3d(x, widened(weight, x), bias, {options_.strideDepth ? stride : 1, stride, stride},
                        options_.padding);
    }
  }
}
std::shared_ptr<Conv> Conv::zeroed() {
  initConstant(weight, 0);
  if (bias.defined()) initConstant(bias, 0);
  return std::static_pointer_cast<Conv>(shared_from_this());
}

ConvTranspose2d::ConvTranspose2d(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding)
    : stride_(stride), padding_(padding) {
  weight = parameter("weight", unset({in, out, kernel, kernel}));
  initKaimingUniform(weight);
  bias = parameter("bias", unset({out}));
  initBias(bias, weight);
}
at::Tensor ConvTranspose2d::forward(const at::Tensor& x) {
  return at::conv_transpose2d(x, weight, bias, stride_, padding_);
}

Linear::Linear(int64_t in, int64_t out, bool withBias) {
  weight = largeWeight("weight", unset({out, in}));
  initKaimingUniform(weight);
  if (withBias) {
    bias = parameter("bias", unset({out}));
    initBias(bias, weight);
  }
}
at::Tensor Linear::forward(const at::Tensor& x) { return linear(x, weight, bias); }
std::shared_ptr<Linear> Linear::zeroed() {
  initConstant(weight, 0);
  if (bias.defined()) initConstant(bias, 0);
  return std::static_pointer_cast<Linear>(shared_from_this());
}

GroupNorm::GroupNorm(int64_t groups, int64_t channels, double eps, bool float32)
    : groups_(groups), eps_(eps), float32_(float32) {
  if (channels % groups)
    invalid("GroupNorm needs a number of channels that is divisible by " + std::to_string(groups) + ", but received " +
            std::to_string(channels));
  weight = parameter("weight", filled({channels}, 1));
  bias = parameter("bias", filled({channels}, 0));
}
at::Tensor GroupNorm::forwardSilu(const at::Tensor& x, at::Tensor (*activation)(const at::Tensor&)) {
  if (groupNormSuits(x, weight, bias)) return groupNorm(x, groups_, weight, bias, eps_, /*silu=*/true);
  return activation(forward(x));
}
at::Tensor GroupNorm::forwardModulatedSilu(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift) {
  if (groupNormSuits(x, weight, bias) && !needGradients({x, weight, bias, scale, shift})) {
    const at::Tensor factor = scale.flatten(1).to(at::kFloat) + 1;
    return groupNorm(x, groups_, weight * factor, at::addcmul(shift.flatten(1), bias, factor), eps_, /*silu=*/true);
  }
  return at::silu(forward(x) * (1 + scale) + shift);
}
at::Tensor GroupNorm::forward(const at::Tensor& input) {
  if (groupNormSuits(input, weight, bias)) return groupNorm(input, groups_, weight, bias, eps_, /*silu=*/false);
  // libtorch's channels-last kernels are inaccurate, and their backward reads outside of small tensors
  const bool last = input.suggest_memory_format() == at::MemoryFormat::ChannelsLast;
  const at::Tensor x = last ? input.clone(at::MemoryFormat::Contiguous) : input;
  if (float32_ && x.scalar_type() != at::kFloat)
    return at::group_norm(x.to(at::kFloat), groups_, weight.to(at::kFloat), bias.to(at::kFloat), eps_)
        .to(x.scalar_type());
  return at::group_norm(x, groups_, weight, bias, eps_);
}

LayerNorm::LayerNorm(int64_t channels, double eps) : channels_(channels), eps_(eps) {
  weight = parameter("weight", filled({channels}, 1));
  bias = parameter("bias", filled({channels}, 0));
}
at::Tensor LayerNorm::forward(const at::Tensor& x) { return at::layer_norm(x, {channels_}, weight, bias, eps_); }

BatchNorm2d::BatchNorm2d(int64_t channels, double eps, double momentum) : eps_(eps), momentum_(momentum) {
  weight = parameter("weight", filled({channels}, 1));
  bias = parameter("bias", filled({channels}, 0));
  runningMean = buffer("running_mean", filled({channels}, 0));
  runningVar = buffer("running_var", filled({channels}, 1));
  numBatchesTracked = buffer("num_batches_tracked", at::zeros({}, at::kLong));
}
at::Tensor BatchNorm2d::forward(const at::Tensor& x) {
  if (training()) {
    at::NoGradGuard guard;
    numBatchesTracked.add_(1);
  }
  return at::batch_norm(x, weight, bias, runningMean, runningVar, training(), momentum_, eps_, false);
}

Embedding::Embedding(int64_t count, int64_t dim) {
  weight = parameter("weight", unset({count, dim}));
  initNormal(weight, 0, 1);
}
at::Tensor Embedding::forward(const at::Tensor& indices) { return at::embedding(weight, indices); }

std::shared_ptr<Activation> Activation::silu() {
  return std::make_shared<Activation>([](const at::Tensor& x) { return at::silu(x); });
}
std::shared_ptr<Activation> Activation::relu() {
  return std::make_shared<Activation>([](const at::Tensor& x) { return at::relu(x); });
}
std::shared_ptr<Activation> Activation::leakyRelu(double slope) {
  return std::make_shared<Activation>([slope](const at::Tensor& x) { return at::leaky_relu(x, slope); });
}
std::shared_ptr<Activation> Activation::gelu() {
  return std::make_shared<Activation>([](const at::Tensor& x) { return at::gelu(x); });
}

at::Tensor Sequential::forward(const at::Tensor& x) {
  at::Tensor h = x;
  for (auto& layer : layers_) h = layer->forward(h);
  return h;
}

REGISTER("torch.nn.Identity", Identity);

}  // namespace ldm
