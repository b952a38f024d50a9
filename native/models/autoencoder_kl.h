// AutoencoderKL: the first stage with a Gaussian latent (Rombach et al., "High-Resolution Image Synthesis with Latent
// Diffusion Models", 2021). Reference: ldm/models/autoencoder.py.
#pragma once

#include "../modules/lpips_with_discriminator.h"
#include "trainable_autoencoder.h"

namespace ldm {

class AutoencoderKL : public TrainableAutoencoder {
 public:
  /// ddconfig (with double_z), lossconfig, embed_dim, image_key, colorize_nlabels.
  explicit AutoencoderKL(const Value& params);

  std::shared_ptr<DiagonalGaussianDistribution> encode(const at::Tensor& x);
  FirstStageEncoding encodeFirst(const at::Tensor& x) override { return {{}, encode(x)}; }

 protected:
  LossResult trainingStep(const Value& batch, int64_t optimizerIdx, int64_t globalStep,
                          const Shortcuts& shortcuts) override;
  void passForward(const at::Tensor& inputs) override;
  Map validationStep(const Value& batch, int64_t globalStep) override;
  std::vector<GanTraining::Group> optimizerGroups(double learningRate) override;
  Map logImages(const Value& batch, const Value& options) override;

 private:
  struct Output {
    at::Tensor reconstructions;
    std::shared_ptr<DiagonalGaussianDistribution> posterior;
  };
  Output forward(const at::Tensor& x, bool samplePosterior);
  LossResult turn(const at::Tensor& inputs, const Output& out, int64_t optimizerIdx, int64_t globalStep,
                  const std::string& split, bool skipDiscriminator = false);

  bool drops_;                       ///< whether encoder and decoder draw while training
  std::vector<int64_t> noiseShape_;  ///< of the posterior in the autoencoder's last turn
};

}  // namespace ldm
