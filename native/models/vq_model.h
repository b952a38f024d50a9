// VQModel: the first stage with a codebook (Esser et al., "Taming Transformers for High-Resolution Image Synthesis",
// 2020; as a first stage of Rombach et al., 2021). Reference: ldm/models/autoencoder.py.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "../modules/quantizer.h"
#include "../training/ema.h"
#include "trainable_autoencoder.h"

namespace ldm {

/// Encoder, codebook, decoder.
///
/// Methods besides those of TrainableAutoencoder: encode {x} -> Quantized, encodeToPrequant {x} -> {z}, quantize {z} ->
/// Quantized, codebookEntry {indices} -> {quant}, decode {z, forceNotQuantize} -> {x}, forward {x} -> {reconstructions,
/// loss, indices}, emaEnter, emaExit.
///
/// Departures: the reference cannot train with the loss that all official configs name (it passes an argument that
/// taming's loss does not take), nor VQModelInterface at all; plot_ema fails there for segmentation maps.
class VQModel : public TrainableAutoencoder {
 public:
  /// ddconfig, lossconfig, n_embed, embed_dim, image_key, colorize_nlabels, batch_resize_range, lr_g_factor, remap
  /// (null or a tensor of the codes in use), sane_index_shape, use_ema (averages of all trained parameters,
  /// discriminator included, are then part of the state). The last five may be absent.
  explicit VQModel(const Value& params);

  /// With the sizes of batch_resize_range: the upper one for the first five steps, then a random one.
  at::Tensor getInput(const Value& batch, const std::string& key) override;

  FirstStageEncoding encodeFirst(const at::Tensor& x) override;
  at::Tensor quantizeFirst(const at::Tensor& z) override { return quantize_->quantize(z).quant; }
  at::Tensor codebookEntry(const at::Tensor& indices) override { return quantize_->codebookEntry(indices); }

 protected:
  LossResult trainingStep(const Value& batch, int64_t optimizerIdx, int64_t globalStep,
                          const Shortcuts& shortcuts) override;
  void passForward(const at::Tensor& inputs) override;
  Map validationStep(const Value& batch, int64_t globalStep) override;
  std::vector<GanTraining::Group> optimizerGroups(double learningRate) override;
  void onTrainBatchEnd() override;
  Map logImages(const Value& batch, const Value& options) override;

  struct Output {
    at::Tensor reconstructions, codebookLoss, indices;
  };
  Output forward(const at::Tensor& x);
  /// One optimizer's loss.
  LossResult turn(const at::Tensor& inputs, const Output& out, int64_t optimizerIdx, const std::string& split,
                  bool skipDiscriminator = false);
  /// Both turns of a validation batch, and `<split>/aeloss`.
  Map validationLosses(const Value& batch, const std::string& split);
  /// Another codebook in the place of the one that was made.
  void replaceQuantizer(std::shared_ptr<Quantizer> quantizer);
  /// What the first optimizer trains; `codebook` false leaves the codebook out.
  std::vector<at::Tensor> generatorParameters(bool codebook) const;

  std::shared_ptr<Quantizer> quantize_;
  int64_t globalStep_ = 0;  ///< of the last batch

 private:
  EmaScope emaScope() { return {ema_.get(), namedParameters()}; }
  int64_t batchSide() const;

  std::vector<int64_t> resizeRange_;  ///< empty, or smallest and largest side
  double lrGFactor_ = 1;
  bool drops_;  ///< whether encoder and decoder draw while training
  std::shared_ptr<LitEma> ema_;
};

/// VQModelInterface: the same as latent diffusion sees it. The latent is what lies before the codebook; decoding
/// quantizes.
class VQModelInterface : public VQModel {
 public:
  explicit VQModelInterface(const Value& params) : VQModel(params) {}

  FirstStageEncoding encodeFirst(const at::Tensor& x) override { return {encodeMoments(x), nullptr}; }
  at::Tensor decodeFirst(const at::Tensor& z, bool forceNotQuantize) override;
  bool vqInterface() const override { return true; }
};

}  // namespace ldm
