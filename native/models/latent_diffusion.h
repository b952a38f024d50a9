// Diffusion in the latent space of a first stage: ldm.models.diffusion.ddpm.LatentDiffusion (Rombach et al. 2022,
// https://arxiv.org/abs/2112.10752).
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>

#include "ddpm.h"
#include "first_stage.h"
#include "patches.h"

namespace ldm {

/// What get_input makes of a batch.
struct LatentInput {
  at::Tensor x;  ///< the images, [n, c, H, W]
  at::Tensor z;  ///< their latents, scaled
  Value cond;    ///< the conditioning, encoded unless the conditioning stage is being trained; null when unconditional
  Value condInput;  ///< what the conditioning was encoded from
};

/// Adds to DDPM: first_stage_model, cond_stage_model (which is the same module under "__is_first_stage__", and absent
/// under
/// "__is_unconditional__") and the buffer scale_factor (with scale_by_std).
///
/// Methods besides DDPM's: encodeFirstStage, getFirstStageEncoding, decodeFirstStage, differentiableDecodeFirstStage,
/// getLearnedConditioning, markRestarted, setSplitInputParams, patchWeighting.
class LatentDiffusion : public DDPM {
 public:
  explicit LatentDiffusion(const Value& params);

  /// Frozen stages stay in evaluation mode.
  void train(bool mode) override;
  at::Tensor quantizeLatent(const at::Tensor& x) override { return firstStage_->quantizeFirst(x); }
  Conditioning conditioningAt(const Conditioning& cond, const at::Tensor& t) override;
  /// Patch by patch with split_input_params. The conditioning of a layout model then is the tokens of its boxes.
  at::Tensor applyModel(const at::Tensor& x, const at::Tensor& t, const Conditioning& cond) override;

  /// The first stage's encoding, not scaled; patch by patch with split_input_params.
  FirstStageEncoding encodeFirstStage(const at::Tensor& x);
  /// The latent that is diffused: a draw from the first stage's posterior (or its tensor), scaled.
  at::Tensor encodeLatent(const at::Tensor& x);
  /// @param predictCids z are logits over the codebook [n, classes, h, w], or indices
  /// @param forceNotQuantize z is quantized already (VQ)
  at::Tensor decodeLatent(const at::Tensor& z, bool predictCids, bool forceNotQuantize);
  at::Tensor learnedConditioning(const Value& input);
  /// @param forceEncode encode the conditioning even when its stage is being trained
  /// @param limit use the first so many entries of the batch, or -1
  virtual LatentInput latentInput(const Value& batch, bool forceEncode, int64_t limit);

  /// By how much the first stage reduces height and width.
  int64_t downsampling() const { return downsampling_; }
  /// Maps of many channels in three: a random projection that stays the same for the model's life, in [-1, 1].
  at::Tensor toRgb(const at::Tensor& x);

  DiffusionLoss pLosses(const at::Tensor& xStart, const Conditioning& cond, const at::Tensor& t,
                        at::Tensor noise) override;
  DiffusionLoss sharedStep(const Value& batch) override;
  /// inputs, reconstruction, conditioning and original_conditioning (where they are pictures), diffusion_row, samples,
  /// denoise_row, samples_x0_quantized, samples_inpainting, mask, samples_outpainting, progressive_row.
  Value logImages(const Value& args) override;

 protected:
  std::vector<at::Tensor> trainedParameters() const override;
  /// scale_by_std: the scale becomes 1 / std of the first batch's latents.
  void onTrainBatchStart(const Value& batch, int64_t batchIdx, int64_t globalStep) override;

 private:
  void createStages(const Value& params);
  void announce();
  void announcePatches();
  at::Tensor decodeFirstStage(const at::Tensor& z, bool forceNotQuantize);
  /// The tokens of a layout's boxes with the place of each patch in place of the image's, embedded.
  std::vector<Conditioning> layoutOfPatches(const Conditioning& cond, const Patches& patches, const at::Tensor& x);
  at::Tensor scaled(const at::Tensor& z) const;
  at::Tensor unscaled(const at::Tensor& z) const;
  at::Tensor decodeRow(const std::vector<at::Tensor>& steps);
  void logConditioning(const LatentInput& input, Map& log);

  std::shared_ptr<FirstStage> firstStage_;
  std::shared_ptr<Module> condStage_;  ///< null when unconditional
  at::Tensor scaleFactor_;             ///< a buffer with scale_by_std, else undefined
  double fixedScale_;
  bool condStageTrainable_, nullConditioning_;
  bool restarted_ = false;  ///< weights came from a checkpoint: the scale is not measured again
  std::string condStageKey_, condStageForward_;
  std::optional<SplitInput> split_;   ///< split_input_params
  std::optional<Size2> encodedSize_;  ///< of the last image that was encoded in patches
  int64_t downsampling_ = 1;          ///< of the first stage, as its ddconfig tells
  at::Tensor condIds_;                ///< timestep of the conditioning for each t, with shorten_cond_schedule
  at::Tensor colorize_;               ///< random projection of maps with many channels to RGB
};

}  // namespace ldm
