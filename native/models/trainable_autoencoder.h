// A first stage that is trained against a discriminator.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "../training/gan_training.h"
#include "image_autoencoder.h"

namespace ldm {

/// Adds what a training loop calls to ImageAutoencoder: trainingStep, validationStep, configureOptimizers, trainBatch,
/// validateBatch, onTrainBatchEnd, setLearningRates, optimizerStates, loadOptimizerStates, logImages, perceptualReady.
class TrainableAutoencoder : public ImageAutoencoder {
 protected:
  explicit TrainableAutoencoder(const Value& params);

  /// Reconstructions that the autoencoder's turn has left for the discriminator's; undefined unless they are reused.
  at::Tensor kept_;

  /// The loss, or an error that this model was built without one.
  GanLoss& ganLoss() const;

  /// What a turn may leave out. By default nothing: it is the reference's.
  struct Shortcuts {
    bool idle = false;  ///< the discriminator, because it is idle (GanLoss::discriminatorIsIdle)
    bool reuse =
        false;  ///< the discriminator's own forward pass: it sees the reconstructions of the autoencoder's turn
  };
  /// The loss of one optimizer's turn, with the logged scalars under their training names.
  virtual LossResult trainingStep(const Value& batch, int64_t optimizerIdx, int64_t globalStep,
                                  const Shortcuts& shortcuts) = 0;
  /// Leaves random numbers and state as a forward pass in the discriminator's turn would.
  virtual void passForward(const at::Tensor& inputs) = 0;
  /// What a validation batch logs.
  virtual Map validationStep(const Value& batch, int64_t globalStep) = 0;
  virtual std::vector<GanTraining::Group> optimizerGroups(double learningRate) = 0;
  /// After both optimizers' turns of a micro-batch; `trainBatch` includes it.
  virtual void onTrainBatchEnd() {}
  /// Pictures by name, [b, 3 or 1, H, W] in about [-1, 1]. Options under the reference's names: only_inputs and what
  /// the model has besides.
  virtual Map logImages(const Value& batch, const Value& options) = 0;

 private:
  /// trainingStep for `batch` and `globalStep` of `args`: the one way there, so that a loop written by hand gets the
  /// numbers of trainBatch.
  LossResult takeTurn(const Value& args, int64_t optimizerIdx, const Shortcuts& shortcuts);
  /// `args` as Stepper has them; besides `skipIdle` and `reuseReconstructions`, false when absent.
  Value trainBatch(const Value& args);

  GanTraining training_;
};

/// The parameters of several modules in a row, as `list(a.parameters()) + list(b.parameters())`.
std::vector<at::Tensor> joinParameters(const std::vector<const Module*>& modules);

}  // namespace ldm
