// Features of a frozen autoencoder as a conditioning: ldm.modules.diffusionmodules.model.FirstStagePostProcessor.
//
// The reference's forward fails on a name that is not imported (DiagonalGaussianDistribution); here it works. A first
// stage is given by its config only, not as an object.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "../modules/autoencoder_blocks.h"
#include "first_stage.h"

namespace ldm {

/// Encodes with the first stage (the mode of a posterior), then halves the size in each of several residual blocks.
class FirstStagePostProcessor : public Layer {
 public:
  /// in_channels are those of the latent.
  explicit FirstStagePostProcessor(const Value& params);
  /// @param x images [n, c, H, W]
  /// @return [n, n_channels * ch_mult.back(), h, w], or with `reshape` its positions as tokens [n, h * w, channels]
  at::Tensor forward(const at::Tensor& x) override;

 private:
  bool reshape_;
  std::shared_ptr<FirstStage> pretrained_;
  std::shared_ptr<GroupNorm> projNorm_;
  std::shared_ptr<Conv> proj_;
  std::shared_ptr<ModuleList<autoencoder::ResnetBlock>> model_;
  std::shared_ptr<ModuleList<autoencoder::Downsample>> downsampler_;
};

}  // namespace ldm
