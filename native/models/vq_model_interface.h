// VQModelInterface: the VQ first stage as latent diffusion sees it: the latent is what lies before the codebook,
// decoding quantizes. Reference: ldm/models/autoencoder.py.
#pragma once

#include "../modules/vector_quantizer.h"
#include "image_autoencoder.h"

namespace ldm {

class VQModelInterface : public ImageAutoencoder {
 public:
  /// ddconfig, lossconfig, n_embed, embed_dim, image_key, colorize_nlabels, remap (null or a tensor of the codes in
  /// use), sane_index_shape, use_ema (averaged weights are then part of the state).
  explicit VQModelInterface(const Value& params);

  /// Latents [b, embed_dim, h, w] before quantization.
  at::Tensor encode(const at::Tensor& x) { return encodeMoments(x); }

  FirstStageEncoding encodeFirst(const at::Tensor& x) override { return {encode(x), nullptr}; }
  at::Tensor decodeFirst(const at::Tensor& z, bool forceNotQuantize) override;
  at::Tensor quantizeFirst(const at::Tensor& z) override { return quantize_->quantize(z).quant; }
  at::Tensor codebookEntry(const at::Tensor& indices) override { return quantize_->codebookEntry(indices); }
  bool vqInterface() const override { return true; }

 private:
  std::shared_ptr<VectorQuantizer2> quantize_;
};

}  // namespace ldm
