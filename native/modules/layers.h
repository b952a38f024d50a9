// torch.nn's elementary layers with the same parameter names, defaults and initialisation, on the project's own module
// tree and random source.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "../core/module.h"

namespace ldm {

/// Anything with a forward of one tensor; what Sequential and ModuleList hold.
class Layer : public Module {
 public:
  Layer() {
    method("forward", [this](const Value& args) -> Value { return Map{{"y", forward(args.tensor("x"))}}; });
  }
  virtual at::Tensor forward(const at::Tensor& x) = 0;
};

/// nn.Identity
class Identity : public Layer {
 public:
  Identity() = default;
  explicit Identity(const Value&) {}
  at::Tensor forward(const at::Tensor& x) override { return x; }
};

struct ConvOptions {
  int64_t stride = 1;
  int64_t padding = 0;
  bool bias = true;
  int64_t dims = 2;         ///< 1, 2 or 3 spatial dimensions
  bool strideDepth = true;  ///< with dims 3: whether the stride applies to the first spatial dimension too
};

/// nn.Conv1d/2d/3d: weight [out, in, k...], bias [out].
class Conv : public Layer {
 public:
  Conv(int64_t in, int64_t out, int64_t kernel, ConvOptions options = {});
  at::Tensor forward(const at::Tensor& x) override;
  /// ldm.modules.diffusionmodules.util.zero_module
  std::shared_ptr<Conv> zeroed();

  at::Tensor weight, bias;

 private:
  ConvOptions options_;
};

/// nn.ConvTranspose2d: weight [in, out, k, k].
class ConvTranspose2d : public Layer {
 public:
  ConvTranspose2d(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding = 0);
  at::Tensor forward(const at::Tensor& x) override;

  at::Tensor weight, bias;

 private:
  int64_t stride_, padding_;
};

/// nn.Linear: weight [out, in], bias [out].
class Linear : public Layer {
 public:
  Linear(int64_t in, int64_t out, bool bias = true);
  at::Tensor forward(const at::Tensor& x) override;
  std::shared_ptr<Linear> zeroed();

  at::Tensor weight, bias;
};

/// nn.GroupNorm (eps 1e-6 in the autoencoder and SpatialTransformer, 1e-5 in the U-Net).
/// With `float32`, the input is normalised in fp32 and cast back (the U-Net's GroupNorm32).
class GroupNorm : public Layer {
 public:
  GroupNorm(int64_t groups, int64_t channels, double eps, bool float32 = false);
  at::Tensor forward(const at::Tensor& x) override;
  /// activation(forward(x)), where the activation is x * sigmoid(x): in one go where the fast path allows it.
  at::Tensor forwardSilu(const at::Tensor& x, at::Tensor (*activation)(const at::Tensor&));
  /// silu(forward(x) * (1 + scale) + shift) for scale and shift [n, channels, 1, ...], in one go likewise.
  at::Tensor forwardModulatedSilu(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift);

  at::Tensor weight, bias;

 private:
  int64_t groups_;
  double eps_;
  bool float32_;
};

/// nn.LayerNorm over the last dimension.
class LayerNorm : public Layer {
 public:
  explicit LayerNorm(int64_t channels, double eps = 1e-5);
  at::Tensor forward(const at::Tensor& x) override;

  at::Tensor weight, bias;

 private:
  int64_t channels_;
  double eps_;
};

/// nn.BatchNorm2d: batch statistics while training (running ones updated with momentum 0.1), running ones otherwise.
class BatchNorm2d : public Layer {
 public:
  explicit BatchNorm2d(int64_t channels, double eps = 1e-5, double momentum = 0.1);
  at::Tensor forward(const at::Tensor& x) override;

  at::Tensor weight, bias, runningMean, runningVar, numBatchesTracked;

 private:
  double eps_, momentum_;
};

/// nn.Embedding: weight [count, dim], normal(0, 1).
class Embedding : public Layer {
 public:
  Embedding(int64_t count, int64_t dim);
  at::Tensor forward(const at::Tensor& indices) override;

  at::Tensor weight;
};

/// nn.Dropout on the project's random source.
class Dropout : public Layer {
 public:
  explicit Dropout(double p) : p_(p) {}
  at::Tensor forward(const at::Tensor& x) override { return ldm::dropout(x, p_, training()); }

 private:
  double p_;
};

/// A parameterless function in a Sequential (SiLU, ReLU, LeakyReLU, GELU): takes a place in the numbering, has no keys.
class Activation : public Layer {
 public:
  explicit Activation(std::function<at::Tensor(const at::Tensor&)> fn) : fn_(std::move(fn)) {}
  at::Tensor forward(const at::Tensor& x) override { return fn_(x); }
  static std::shared_ptr<Activation> silu();
  static std::shared_ptr<Activation> relu();
  static std::shared_ptr<Activation> leakyRelu(double slope);
  static std::shared_ptr<Activation> gelu();

 private:
  std::function<at::Tensor(const at::Tensor&)> fn_;
};

/// nn.Sequential: children "0", "1", ...
class Sequential : public Layer {
 public:
  Sequential() = default;
  Sequential(std::initializer_list<std::shared_ptr<Layer>> layers) {
    for (const auto& l : layers) append(l);
  }
  void append(std::shared_ptr<Layer> layer) { layers_.push_back(child(std::to_string(layers_.size()), layer)); }
  /// For the reference's gaps in numbering.
  void appendAs(const std::string& name, std::shared_ptr<Layer> layer) { layers_.push_back(child(name, layer)); }
  at::Tensor forward(const at::Tensor& x) override;
  size_t size() const { return layers_.size(); }
  Layer& operator[](size_t i) const { return *layers_[i]; }

 private:
  std::vector<std::shared_ptr<Layer>> layers_;
};

}  // namespace ldm
