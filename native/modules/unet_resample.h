// Resampling layers of the U-Net: Upsample, Downsample and TransposedUpsample of
// ldm.modules.diffusionmodules.openaimodel. Unlike the autoencoder's, the padding is symmetric.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "layers.h"

namespace ldm::unet {

/// Doubles the spatial size (of the inner two dimensions with dims 3) by the nearest value, then convolves if asked to.
class Upsample : public Layer {
 public:
  Upsample(int64_t channels, bool useConv, int64_t dims, int64_t outChannels, int64_t padding = 1);
  explicit Upsample(const Value& params);
  at::Tensor forward(const at::Tensor& x) override;

 private:
  int64_t dims_, padding_;
  std::shared_ptr<Conv> conv_;
};

/// Halves the spatial size (of the inner two dimensions with dims 3) by a strided convolution or by averaging.
class Downsample : public Layer {
 public:
  Downsample(int64_t channels, bool useConv, int64_t dims, int64_t outChannels, int64_t padding = 1);
  explicit Downsample(const Value& params);
  at::Tensor forward(const at::Tensor& x) override;

 private:
  int64_t dims_;
  std::shared_ptr<Conv> op_;
};

/// Learned upsampling by a transposed convolution of stride 2, without padding.
class TransposedUpsample : public Layer {
 public:
  TransposedUpsample(int64_t channels, int64_t outChannels, int64_t kernel);
  explicit TransposedUpsample(const Value& params);
  at::Tensor forward(const at::Tensor& x) override { return up_->forward(x); }

 private:
  std::shared_ptr<ConvTranspose2d> up_;
};

}  // namespace ldm::unet
