// Networks that resize latents: ldm.modules.diffusionmodules.model.LatentRescaler and what is built on it.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "autoencoder.h"
#include "autoencoder_blocks.h"

namespace ldm {

/// Residual blocks, resizing to the nearest pixel, attention, residual blocks.
class LatentRescaler : public Layer {
 public:
  struct Options {
    double factor;
    int64_t in, mid, out;
    int64_t depth;  ///< residual blocks before and after the resizing
  };
  explicit LatentRescaler(const Options& options);
  explicit LatentRescaler(const Value& params);
  /// @param x [n, in_channels, h, w]
  /// @return [n, out_channels, round(h * factor), round(w * factor)]; halves are rounded to the even number
  at::Tensor forward(const at::Tensor& x) override;

 private:
  double factor_;
  std::shared_ptr<Conv> convIn_, convOut_;
  std::shared_ptr<ModuleList<autoencoder::ResnetBlock>> resBlock1_, resBlock2_;
  std::shared_ptr<autoencoder::AttnBlock> attn_;
};

/// An encoder whose latents are resized.
class MergedRescaleEncoder : public Layer {
 public:
  explicit MergedRescaleEncoder(const Value& params);
  /// @param x images [n, in_channels, H, W]
  at::Tensor forward(const at::Tensor& x) override { return rescaler_->forward(encoder_->forward(x)); }

 private:
  std::shared_ptr<Encoder> encoder_;
  std::shared_ptr<LatentRescaler> rescaler_;
};

/// A decoder of latents that are resized first.
class MergedRescaleDecoder : public Layer {
 public:
  explicit MergedRescaleDecoder(const Value& params);
  /// @param x latents [n, z_channels, h, w]
  at::Tensor forward(const at::Tensor& x) override { return decoder_->forward(rescaler_->forward(x)); }

 private:
  std::shared_ptr<Decoder> decoder_;
  std::shared_ptr<LatentRescaler> rescaler_;
};

/// From features of one size to images of another. The rescaler enlarges by 1 + out_size % in_size, as in the
/// reference, so the result has `out_size` only when that is in_size times a power of two.
class Upsampler : public Layer {
 public:
  explicit Upsampler(const Value& params);
  /// @param x [n, in_channels, in_size, in_size]
  at::Tensor forward(const at::Tensor& x) override { return decoder_->forward(rescaler_->forward(x)); }

 private:
  std::shared_ptr<LatentRescaler> rescaler_;
  std::shared_ptr<Decoder> decoder_;
};

}  // namespace ldm
