#include "taming_vq_models.h"

#include <ATen/ATen.h>

#include "../core/registry.h"
#include "../modules/ema_vector_quantizer.h"

namespace ldm::taming {

LossResult VQModel::trainingStep(const Value& batch, int64_t optimizerIdx, int64_t globalStep,
                                 const Shortcuts& shortcuts) {
  LossResult r = ldm::VQModel::trainingStep(batch, optimizerIdx, globalStep, shortcuts);
  r.log.set(optimizerIdx == 0 ? "train/aeloss" : "train/discloss",
            r.loss.defined() ? r.loss.detach() : at::zeros({}, at::kFloat));
  return r;
}

Map VQModel::validationStep(const Value& batch, int64_t globalStep) {
  globalStep_ = globalStep;
  return validationLosses(batch, "val");
}

GumbelVQ::GumbelVQ(const Value& params) : VQModel(params) {
  // The codebook of VQModel is made first and thrown away: with a seed, the draws are the reference's.
  gumbel_ = std::make_shared<GumbelQuantize>(Map{{"num_hiddens", params.get("ddconfig").integer("z_channels")},
                                                 {"embedding_dim", params.integer("embed_dim")},
                                                 {"n_embed", params.integer("n_embed")},
                                                 {"straight_through", true},
                                                 {"kl_weight", params.number("kl_weight")},
                                                 {"temp_init", 1.0},
                                                 {"remap", params.get("remap")},
                                                 {"unknown_index", "random"}});
  replaceQuantizer(gumbel_);
  method("setTemperature", [this](const Value& args) -> Value {
    gumbel_->setTemperature(args.number("temperature"));
    return {};
  });
}

LossResult GumbelVQ::trainingStep(const Value& batch, int64_t optimizerIdx, int64_t globalStep,
                                  const Shortcuts& shortcuts) {
  LossResult r = ldm::VQModel::trainingStep(batch, optimizerIdx, globalStep, shortcuts);
  if (optimizerIdx == 0) r.log.set("temperature", at::scalar_tensor(gumbel_->temperature(), at::kDouble));
  return r;
}

EMAVQ::EMAVQ(const Value& params) : VQModel(params) {
  replaceQuantizer(std::make_shared<EMAVectorQuantizer>(Map{{"n_embed", params.integer("n_embed")},
                                                            {"embedding_dim", params.integer("embed_dim")},
                                                            {"beta", 0.25},
                                                            {"decay", 0.99},
                                                            {"eps", 1e-5},
                                                            {"remap", params.get("remap")},
                                                            {"unknown_index", "random"}}));
}

std::vector<GanTraining::Group> EMAVQ::optimizerGroups(double learningRate) {
  return {{generatorParameters(/*codebook=*/false), learningRate},
          {ganLoss().discriminator().parameters(), learningRate}};
}

REGISTER("taming.models.vqgan.VQModel", VQModel);
REGISTER("taming.models.vqgan.GumbelVQ", GumbelVQ);
REGISTER("taming.models.vqgan.EMAVQ", EMAVQ);

}  // namespace ldm::taming
