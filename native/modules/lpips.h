// Learned perceptual image patch similarity (Zhang et al., "The Unreasonable Effectiveness of Deep Features as a
// Perceptual Metric", 2018), version 0.1 with VGG16. Reference: taming/modules/losses/lpips.py.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <memory>

#include "layers.h"

namespace ldm {

/// The features of torchvision's VGG16 up to relu5_3, in five slices that keep torchvision's layer numbers
/// (`slice2.5.weight` is torchvision's `features.5.weight`).
///
/// Departures: the weights are read from a file later on, until then they are zero (the perceptual loss is then zero,
/// and `loaded()` tells); the classifier, which the reference creates and throws away, is not created and draws
/// nothing.
class VggFeatures : public Module {
 public:
  VggFeatures();
  std::array<at::Tensor, 5> forward(const at::Tensor& x);
  /// Whether every convolution has weights.
  bool loaded() const;

 private:
  std::array<std::shared_ptr<Sequential>, 5> slices_;
};

/// Distance of two batches of images in [-1, 1]: [b, 1, 1, 1].
///
/// Dropout with p = 0.5 on the feature differences is active in training mode: the `eval()` that the losses'
/// constructor calls is undone by the `train()` of a training run. Parameters need no gradient.
class LPIPS : public Module {
 public:
  explicit LPIPS(bool useDropout = true);
  /// `use_dropout`.
  explicit LPIPS(const Value& params);

  at::Tensor forward(const at::Tensor& input, const at::Tensor& target);
  /// Consumes the random numbers of forward on images like `x` without computing anything.
  void skip(const at::Tensor& x);
  bool loaded() const { return net_->loaded(); }

 private:
  at::Tensor scaled(const at::Tensor& x) const;

  /// Children: `shift` and `scale` live in `scaling_layer`.
  class ScalingLayer;
  /// `model.0` is dropout, `model.1` a 1x1 convolution without bias.
  class NetLinLayer;

  bool useDropout_;
  at::Tensor shift_, scale_;
  std::shared_ptr<VggFeatures> net_;
  std::array<std::shared_ptr<NetLinLayer>, 5> lins_;
};

}  // namespace ldm
