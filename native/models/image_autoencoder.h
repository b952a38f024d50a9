// What AutoencoderKL and the VQ models have in common. Reference: ldm/models/autoencoder.py.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "../modules/autoencoder.h"
#include "first_stage.h"

namespace ldm {

/// Encoder, decoder, the 1x1 convolutions around the latent, the loss module; batches in, pictures out.
///
/// Derived classes add the children in the reference's order, which is the order of random draws and of keys.
class ImageAutoencoder : public FirstStage {
 public:
  /// Encoder and quant_conv. Under autocast the networks work in half precision; what goes in and out of them, and with
  /// it posterior, codebook and losses, stays in the precision of the input. So with decodeFirst.
  at::Tensor encodeMoments(const at::Tensor& x);
  at::Tensor decodeFirst(const at::Tensor& z, bool forceNotQuantize) override;
  const at::Tensor& lastLayer() const { return decoder_->lastLayer(); }

  /// The images of a batch {name: tensor}: [b, H, W, c], or [b, H, W] for one channel, to float [b, c, H, W].
  virtual at::Tensor getInput(const Value& batch, const std::string& key);
  /// A random but fixed projection of segmentation maps to three channels, stretched to [-1, 1].
  at::Tensor toRgb(const at::Tensor& x);

 protected:
  /// Reads image_key and announces getInput, toRgb, getLastLayer.
  explicit ImageAutoencoder(const Value& params);

  void addCoders(const Value& ddconfig);
  void addLoss(const Value& lossconfig);
  /// `inChannels`: of the encoder's output.
  void addLatentConvolutions(int64_t inChannels, int64_t moments, int64_t embedDim, int64_t zChannels);
  /// The buffer `colorize`, drawn at once, unless `colorize_nlabels` is null.
  void addColorize(const Value& params);
  std::string imageKey_;
  std::shared_ptr<Encoder> encoder_;
  std::shared_ptr<Decoder> decoder_;
  std::shared_ptr<Module> loss_;
  std::shared_ptr<Conv> quantConv_, postQuantConv_;

 private:
  at::Tensor colorize_;
};

}  // namespace ldm
