// Inception v3 as FID uses it (Szegedy et al., "Rethinking the Inception Architecture", 2015; Heusel et al., "GANs
// Trained by a Two Time-Scale Update Rule", 2017): the network of TensorFlow's inception-2015-12-05, with the module
// names of torchvision, under which pytorch-fid and torch-fidelity publish its weights.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "layers.h"

namespace ldm {

/// How 8-bit images become the network's input of 299 x 299.
enum class InceptionResize {
  /// Bilinear as TensorFlow 1.x: pixel i of the result lies at i * (in / out); then (x - 128) / 128. What
  /// torch-fidelity
  /// does, and with it the paper of latent diffusion.
  kTensorFlow,
  /// Bilinear with pixel centres at one half, of x / 255; then 2 x - 1. What pytorch-fid does.
  kHalfPixel
};

/// The part of the network up to the features of 2048 numbers; `fc` is there for its weights and is not used.
///
/// Differences from torchvision's network, as in TensorFlow's graph: average pooling leaves the padding out of its
/// means, the last block pools by maximum, and there are 1008 classes.
class InceptionV3 : public Module {
 public:
  /// No parameters. Weights are zero until they are loaded; always in evaluation mode.
  explicit InceptionV3(const Value& params);

  /// @param images uint8 [n, 3, H, W]
  /// @return float32 [n, 2048]
  at::Tensor features(const at::Tensor& images, InceptionResize resize);
  void train(bool mode) override;

 private:
  at::Tensor forward(at::Tensor x);

  std::vector<std::shared_ptr<Layer>> layers_;
  std::shared_ptr<Linear> fc_;
};

}  // namespace ldm
