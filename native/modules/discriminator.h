// The patch discriminator of Pix2Pix (Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks",
// 2016). Reference: taming/modules/discriminator/model.py and ActNorm of taming/modules/util.py.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "layers.h"

namespace ldm {

/// Per-channel shift and scale that the first batch in training mode sets to zero mean and unit variance (Kingma &
/// Dhariwal, "Glow", 2018). `initialized` is a uint8 buffer.
class ActNorm : public Layer {
 public:
  explicit ActNorm(int64_t channels);
  at::Tensor forward(const at::Tensor& x) override;

  at::Tensor loc, scale, initialized;

 private:
  void initialize(const at::Tensor& x);
};

struct DiscriminatorOptions {
  int64_t inputNc;  ///< channels of the image (and of the condition)
  int64_t ndf;      ///< filters of the first convolution
  int64_t nLayers;  ///< strided convolutions; the field of view grows with it
  bool useActnorm;  ///< instead of BatchNorm
};

/// Images [b, inputNc, H, W] to a map of logits [b, 1, h, w], one for each patch.
class NLayerDiscriminator : public Layer {
 public:
  explicit NLayerDiscriminator(const DiscriminatorOptions& options);
  /// `input_nc`, `ndf`, `n_layers`, `use_actnorm`.
  explicit NLayerDiscriminator(const Value& params);
  at::Tensor forward(const at::Tensor& x) override;
  /// Whether the first batch has been seen that an ActNorm takes its parameters from; true with BatchNorm.
  bool initialized() const;
  /// Convolutions normal(0, 0.02), BatchNorm weights normal(1, 0.02); other biases and ActNorm stay.
  void initWeights();

 private:
  std::shared_ptr<Sequential> main_ = std::make_shared<Sequential>();
};

}  // namespace ldm
