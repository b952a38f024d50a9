// Denoising diffusion in image space: ldm.models.diffusion.ddpm.DDPM (Ho et al. 2020,
// https://arxiv.org/abs/2006.11239).
//
// Departures: use_positional_encodings is refused (the reference calls a method that does not exist).
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../core/module.h"
#include "../diffusion/denoiser.h"
#include "../training/ema.h"
#include "../training/single_optimizer.h"
#include "diffusion_wrapper.h"

namespace ldm {

/// A loss with its graph, and the scalars that the reference logs with it ("train/loss_simple", ...).
struct DiffusionLoss {
  at::Tensor value;
  std::vector<std::pair<std::string, at::Tensor>> log;
};

/// Children: model (DiffusionWrapper), model_ema (LitEma, with use_ema). Own state: logvar (with learn_logvar) and the
/// buffers of the schedule.
///
/// Formulas: qSample, stochasticEncode, qMeanVariance, qPosterior, predictStartFromNoise, predictEpsFromXstart,
/// getV, predictStartFromV, predictEpsFromV, priorBpd, schedule.
/// Network: applyModel, pMeanVariance, pSample. Losses: pLosses, sharedStep, getInput.
/// Training: configureOptimizers, trainBatch, validateBatch, setLearningRates, optimizerStates, loadOptimizerStates.
/// EMA: emaEnter, emaExit, emaReset{averages}. Pictures: logImages.
class DDPM : public Module, public Denoiser {
 public:
  explicit DDPM(const Value& params);

  const GaussianDiffusion& diffusion() const override { return diffusion_; }
  ConditioningKey conditioningKey() const override { return model_->key(); }
  at::Tensor applyModel(const at::Tensor& x, const at::Tensor& t, const Conditioning& cond) override;
  at::Tensor quantizeLatent(const at::Tensor& x) override;
  Conditioning conditioningAt(const Conditioning& cond, const at::Tensor& t) override { return cond; }
  bool clipDenoised() const override { return clipDenoised_; }
  int64_t logEveryT() const override { return logEveryT_; }

  /// The loss for given timesteps [n] (int64); `noise` is drawn when undefined.
  virtual DiffusionLoss pLosses(const at::Tensor& xStart, const Conditioning& cond, const at::Tensor& t,
                                at::Tensor noise);
  /// The loss of a batch at random timesteps.
  virtual DiffusionLoss sharedStep(const Value& batch);
  /// What the trainer shows: inputs, diffusion_row, samples, denoise_row. Options under the reference's names.
  virtual Value logImages(const Value& args);

  /// The averaged weights for the length of a scope, which may be within another one.
  EmaScope emaScope() { return {ema_.get(), model_->namedParameters()}; }

  /// Images of the batch under `key`, [n, h, w] or [n, h, w, c] -> [n, c, h, w] float32 on the model's device.
  at::Tensor imageInput(const Value& batch, const std::string& key) const;
  /// Those that the model is trained on (first_stage_key).
  at::Tensor imageInput(const Value& batch) const { return imageInput(batch, firstStageKey_); }

 protected:
  DDPM(const Value& params, ConditioningKey key);

  at::Tensor randomTimesteps(int64_t n) const;
  /// The loss of each element of the batch, [n].
  at::Tensor elementLoss(const at::Tensor& out, const at::Tensor& xStart, const at::Tensor& noise,
                         const at::Tensor& t) const;
  std::string prefixed(const char* name) const { return std::string(training() ? "train/" : "val/") + name; }
  /// What AdamW trains.
  virtual std::vector<at::Tensor> trainedParameters() const;
  /// Before the loss of a training batch (scale_by_std).
  virtual void onTrainBatchStart(const Value& batch, int64_t batchIdx, int64_t globalStep) {}
  std::vector<int64_t> sampleShape(int64_t n) const { return {n, channels_, imageSize_[0], imageSize_[1]}; }
  /// Every logEveryT-th timestep and the last one.
  std::vector<int64_t> loggedTimesteps() const;

  GaussianDiffusion diffusion_;
  std::shared_ptr<DiffusionWrapper> model_;
  at::Tensor logvar_;  ///< [timesteps]; a parameter with learn_logvar
  bool clipDenoised_, learnLogvar_;
  std::string firstStageKey_;
  double lSimpleWeight_, originalElboWeight_;

 private:
  void announceFormulas();
  void announceTraining();
  Value trainBatch(const Value& args);
  Value validateBatch(const Value& args);

  std::shared_ptr<LitEma> ema_;
  SingleOptimizer optimization_;
  bool l1_, scheduled_;
  int64_t logEveryT_, channels_;
  std::vector<int64_t> imageSize_;  ///< height and width of the samples
};

}  // namespace ldm
