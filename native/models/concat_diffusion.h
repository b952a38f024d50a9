// Latent diffusion that is told more about a picture by further input channels, after
// ldm/models/diffusion/ddpm.py of Stability-AI/stablediffusion: LatentInpaintDiffusion (with LatentFinetuneDiffusion)
// and LatentUpscaleDiffusion.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "latent_diffusion.h"

namespace ldm {

/// Inpainting: a mask and the latent of the masked image stand beside the noisy latent ("hybrid" or "concat").
class LatentInpaintDiffusion : public LatentDiffusion {
 public:
  explicit LatentInpaintDiffusion(const Value& params);
  /// The conditioning is {c_concat, c_crossattn}. Of the entries of concat_keys [n, h, w, c] that of masked_image_key
  /// is encoded, the others (masks) are made as small as the latent, without interpolation.
  LatentInput latentInput(const Value& batch, bool forceEncode, int64_t limit) override;
  /// As LatentFinetuneDiffusion logs: without in- and outpainting and progressive rows; and `masked_image`.
  Value logImages(const Value& args) override;

 private:
  std::vector<std::string> concatKeys_;
  std::string maskedImageKey_;
};

/// What makes a small picture ready to stand beside a noisy latent: ldm.modules.diffusionmodules.upscaling.
class LowScaleModel : public Module {
 public:
  struct Output {
    at::Tensor x;      ///< [n, c, h, w]
    at::Tensor level;  ///< how much noise was added, int64 [n]
  };
  virtual Output augment(const at::Tensor& x, at::Tensor level) = 0;

 protected:
  LowScaleModel();
};

/// SimpleImageConcat: the picture as it is, at noise level 0.
class SimpleImageConcat : public LowScaleModel {
 public:
  explicit SimpleImageConcat(const Value&) {}
  Output augment(const at::Tensor& x, at::Tensor level) override;
};

/// ImageConcatWithNoiseAugmentation: the picture noised by a level below max_noise_level (drawn when undefined).
///
/// Methods: augment{x, level?} -> {x, level}.
class ImageConcatWithNoiseAugmentation : public LowScaleModel {
 public:
  explicit ImageConcatWithNoiseAugmentation(const Value& params);
  Output augment(const at::Tensor& x, at::Tensor level) override;

 private:
  GaussianDiffusion diffusion_;
  int64_t maxNoiseLevel_;
};

/// Upscaling: a small picture of the latent's size stands beside the noisy latent, and the U-Net is told how noisy it
/// is
/// ("hybrid-adm"). Child besides LatentDiffusion's: low_scale_model.
///
/// Methods besides LatentDiffusion's: lowScale{x, level?} -> {x, level}.
class LatentUpscaleDiffusion : public LatentDiffusion {
 public:
  explicit LatentUpscaleDiffusion(const Value& params);
  void train(bool mode) override;
  /// The conditioning is {c_concat, c_crossattn, c_adm}.
  LatentInput latentInput(const Value& batch, bool forceEncode, int64_t limit) override;
  /// As LatentDiffusion's, without in- and outpainting; and `x_lr`.
  Value logImages(const Value& args) override;

 private:
  std::string lowScaleKey_;
  std::shared_ptr<LowScaleModel> lowScale_;
};

}  // namespace ldm
