// The VQ models of taming-transformers: VQModel, GumbelVQ, EMAVQ (Esser et al., "Taming Transformers for
// High-Resolution Image Synthesis", 2020). Reference: taming/models/vqgan.py.
#pragma once

#include <memory>
#include <vector>

#include "../modules/gumbel_quantize.h"
#include "vq_model.h"

namespace ldm::taming {

/// taming.models.vqgan.VQModel: ldm's without the options that came later; it logs the losses of both turns as
/// train/aeloss and train/discloss.
///
/// Params: ddconfig, lossconfig, n_embed, embed_dim, image_key, colorize_nlabels, remap, sane_index_shape.
class VQModel : public ldm::VQModel {
 public:
  explicit VQModel(const Value& params) : ldm::VQModel(params) {}

 protected:
  LossResult trainingStep(const Value& batch, int64_t optimizerIdx, int64_t globalStep,
                          const Shortcuts& shortcuts) override;
  Map validationStep(const Value& batch, int64_t globalStep) override;
};

/// taming.models.vqgan.GumbelVQ: codes are drawn (see GumbelQuantize).
///
/// Params besides: kl_weight. Method besides: setTemperature {temperature}; the schedule is the caller's concern.
///
/// Departures: validation, which the reference's signature breaks, works; `remap` reaches the codebook only.
class GumbelVQ : public VQModel {
 public:
  explicit GumbelVQ(const Value& params);

 protected:
  LossResult trainingStep(const Value& batch, int64_t optimizerIdx, int64_t globalStep,
                          const Shortcuts& shortcuts) override;

 private:
  std::shared_ptr<GumbelQuantize> gumbel_;
};

/// taming.models.vqgan.EMAVQ: the codebook is a moving average (see EMAVectorQuantizer) and no optimizer's concern.
///
/// Departure: its codebook cannot be made in the reference; see EMAVectorQuantizer.
class EMAVQ : public VQModel {
 public:
  explicit EMAVQ(const Value& params);

 protected:
  std::vector<GanTraining::Group> optimizerGroups(double learningRate) override;
};

}  // namespace ldm::taming
