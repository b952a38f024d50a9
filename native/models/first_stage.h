// What a latent diffusion model needs of its first stage (reference: LatentDiffusion.encode_first_stage,
// get_first_stage_encoding, decode_first_stage in ldm/models/diffusion/ddpm.py).
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "../core/module.h"
#include "../modules/distributions.h"

namespace ldm {

/// What a first stage's encoder gives: a posterior (KL), or a tensor (VQ before quantization, Identity).
struct FirstStageEncoding {
  at::Tensor latent;                                        ///< defined when there is no posterior
  std::shared_ptr<DiagonalGaussianDistribution> posterior;  ///< null unless KL

  /// The latent that is diffused, not yet scaled: a fresh draw from the posterior, or the tensor.
  at::Tensor sample() const { return posterior ? posterior->sample() : latent; }
  /// The same without randomness.
  at::Tensor mode() const { return posterior ? posterior->mode() : latent; }
};

/// Base of AutoencoderKL, VQModelInterface and IdentityFirstStage.
class FirstStage : public Module {
 public:
  /// x: images [b, c, H, W] in [-1, 1].
  virtual FirstStageEncoding encodeFirst(const at::Tensor& x) = 0;
  /// z: latents [b, c, h, w], not scaled. `forceNotQuantize`: z is quantized already (VQ only; others ignore it).
  virtual at::Tensor decodeFirst(const at::Tensor& z, bool forceNotQuantize = false) = 0;
  /// The nearest codes, for samplers with quantize_denoised or quantize_x0. A first stage without a codebook refuses.
  virtual at::Tensor quantizeFirst(const at::Tensor& z);
  /// Embeddings [b, c, h, w] of code indices [b, h, w] (decode_first_stage with predict_cids).
  virtual at::Tensor codebookEntry(const at::Tensor& indices);
  /// True when decoding quantizes (isinstance VQModelInterface in the reference).
  virtual bool vqInterface() const { return false; }
};

}  // namespace ldm
