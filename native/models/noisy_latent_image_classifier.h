// A classifier of noisy latents: ldm.models.diffusion.classifier.NoisyLatentImageClassifier, after the classifiers of
// Dhariwal & Nichol 2021 (https://arxiv.org/abs/2105.05233) that guide sampling.
//
// Departures, all where the reference cannot run or counts wrongly: it reads use_continuous_noise, which its diffusion
// models do not have (here: none); top-5 accuracy with fewer than five classes takes all of them; the accuracy of maps
// counts positions (the reference sums along rows); an explicit label_key wins over the diffusion model's
// cond_stage_key, so that unconditional models can be classified. The accuracies by timestep, which the reference
// collects and drops, are logged. The idle U-Net of the diffusion model stays on its device.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>

#include "../training/single_optimizer.h"
#include "latent_diffusion.h"

namespace ldm {

class EncoderUNetModel;
class DenoisingNetwork;

/// Children: diffusion_model (frozen), model (EncoderUNetModel for labels, UNetModel for maps).
///
/// Methods: forward{x, t} -> {logits}; sharedStep{batch, t?} -> {loss, log, logits, xNoisy, targets};
/// guide{eps, x, t, labels, scale} -> {eps}; logImages{batch, N}. Training as DDPM: configureOptimizers,
/// trainBatch, validateBatch, setLearningRates, optimizerStates, loadOptimizerStates.
class NoisyLatentImageClassifier : public Module {
 public:
  /// `diffusion_config` and `classifier_config` are nodes, label_key 'class_label' or 'segmentation'.
  explicit NoisyLatentImageClassifier(const Value& params);

  /// The diffusion model stays in evaluation mode.
  void train(bool mode) override;
  /// @param x noisy latents [n, c, h, w]
  /// @param t [n]
  /// @return logits [n, classes], or [n, classes, h, w] for maps
  at::Tensor forward(const at::Tensor& x, const at::Tensor& t);

 private:
  struct Step {
    at::Tensor loss, logits, xNoisy, targets;
    std::vector<std::pair<std::string, at::Tensor>> log;
  };
  void announce();
  /// @param timestep the same for the whole batch; random ones without
  Step sharedStep(const Value& batch, std::optional<int64_t> timestep);
  /// Labels [n], or maps of channels [n, classes, h, w] in the size of the latents.
  at::Tensor conditioning(const Value& batch) const;
  /// The share of labels that are among the k likeliest.
  at::Tensor topK(const at::Tensor& logits, const at::Tensor& labels, int64_t k) const;
  Value trainBatch(const Value& args);
  Value validateBatch(const Value& args);
  Value logImages(const Value& args);
  /// Of the likelihood of the labels [n], summed over the batch, at x.
  at::Tensor logProbabilityGradient(const at::Tensor& x, const at::Tensor& t, const at::Tensor& labels);

  std::shared_ptr<LatentDiffusion> diffusion_;
  std::shared_ptr<EncoderUNetModel> encoder_;  ///< one of these two is there
  std::shared_ptr<DenoisingNetwork> unet_;
  std::shared_ptr<Module> model_;
  std::string labelKey_;
  int64_t numClasses_, logSteps_;
  double weightDecay_;
  SingleOptimizer optimization_;
};

}  // namespace ldm
