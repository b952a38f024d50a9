#include "autoencoder_kl.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "../core/random.h"
#include "../core/registry.h"

namespace ldm {

AutoencoderKL::AutoencoderKL(const Value& params) : TrainableAutoencoder(params) {
  const Value& ddconfig = params.get("ddconfig");
  if (!ddconfig.boolean("double_z")) invalid("AutoencoderKL needs double_z: true in its ddconfig");
  const int64_t embedDim = params.integer("embed_dim"), zChannels = ddconfig.integer("z_channels");
  addCoders(ddconfig);
  drops_ = ddconfig.number("dropout") > 0;
  addLoss(params.get("lossconfig"));
  addLatentConvolutions(2 * zChannels, 2 * embedDim, embedDim, zChannels);
  addColorize(params);
  method("encode", [this](const Value& args) -> Value { return Map{{"posterior", encode(args.tensor("x"))}}; });
  method("decode", [this](const Value& args) -> Value { return Map{{"x", decodeFirst(args.tensor("z"), false)}}; });
  method("forward", [this](const Value& args) -> Value {
    Output out = forward(args.tensor("x"), args.boolean("samplePosterior"));
    return Map{{"reconstructions", out.reconstructions}, {"posterior", out.posterior}};
  });
}

std::shared_ptr<DiagonalGaussianDistribution> AutoencoderKL::encode(const at::Tensor& x) {
  return std::make_shared<DiagonalGaussianDistribution>(encodeMoments(x));
}

AutoencoderKL::Output AutoencoderKL::forward(const at::Tensor& x, bool samplePosterior) {
  auto posterior = encode(x);
  at::Tensor z = samplePosterior ? posterior->sample() : posterior->mode();
  return {decodeFirst(z, false), posterior};
}

LossResult AutoencoderKL::turn(const at::Tensor& inputs, const Output& out, int64_t optimizerIdx, int64_t globalStep,
                               const std::string& split, bool skipDiscriminator) {
  auto* loss = dynamic_cast<LPIPSWithDiscriminator*>(&ganLoss());
  if (!loss)
    invalid("AutoencoderKL trains with ldm.modules.losses.LPIPSWithDiscriminator; its lossconfig names another");
  const GanInputs in{.inputs = inputs,
                     .reconstructions = out.reconstructions,
                     .cond = {},
                     .lastLayer = lastLayer(),
                     .globalStep = globalStep,
                     .split = split,
                     .skipDiscriminator = skipDiscriminator};
  return optimizerIdx == 0 ? loss->autoencoderTurn(in, *out.posterior, /*weights=*/{}) : loss->discriminatorTurn(in);
}

void AutoencoderKL::passForward(const at::Tensor& inputs) {
  if (drops_) {
    at::NoGradGuard noGrad;
    forward(inputs, true);
  } else {
    randomFor(inputs.device()).skip("randn", noiseShape_, inputs.options());
  }
}

LossResult AutoencoderKL::trainingStep(const Value& batch, int64_t optimizerIdx, int64_t globalStep,
                                       const Shortcuts& shortcuts) {
  at::Tensor inputs = getInput(batch, imageKey_);
  Output out;
  if (optimizerIdx == 1 && (shortcuts.idle || shortcuts.reuse)) {
    passForward(inputs);
    if (shortcuts.idle) {
      LossResult r = ganLoss().idleDiscriminatorTurn(inputs, "train");
      r.log.set("discloss", at::zeros({}, at::kFloat));
      return r;
    }
    out.reconstructions = kept_;
  } else {
    // The discriminator sees the reconstructions detached: its turn needs no graph of the autoencoder.
    at::AutoGradMode graph(at::GradMode::is_enabled() && optimizerIdx == 0);
    out = forward(inputs, true);
    noiseShape_ = out.posterior->mean.sizes().vec();
    if (shortcuts.reuse) kept_ = out.reconstructions.detach();
  }
  LossResult r = turn(inputs, out, optimizerIdx, globalStep, "train", shortcuts.idle);
  r.log.set(optimizerIdx == 0 ? "aeloss" : "discloss", r.loss.detach());
  return r;
}

Map AutoencoderKL::validationStep(const Value& batch, int64_t globalStep) {
  at::Tensor inputs = getInput(batch, imageKey_);
  Output out = forward(inputs, true);
  Map log = turn(inputs, out, 0, globalStep, "val").log;
  Map discriminator = turn(inputs, out, 1, globalStep, "val").log;
  for (const auto& [name, value] : discriminator) log.set(name, value);
  return log;
}

std::vector<GanTraining::Group> AutoencoderKL::optimizerGroups(double learningRate) {
  return {{joinParameters({encoder_.get(), decoder_.get(), quantConv_.get(), postQuantConv_.get()}), learningRate},
          {ganLoss().discriminator().parameters(), learningRate}};
}

Map AutoencoderKL::logImages(const Value& batch, const Value& options) {
  at::Tensor x = getInput(batch, imageKey_);
  Map images;
  if (!options.boolean("only_inputs")) {
    auto [reconstructions, posterior] = forward(x, true);
    if (x.size(1) > 3) {
      x = toRgb(x);
      reconstructions = toRgb(reconstructions);
    }
    images.set("samples", decodeFirst(randnLike(posterior->sample()), false));
    images.set("reconstructions", reconstructions);
  }
  images.set("inputs", x);
  return images;
}

REGISTER("ldm.models.autoencoder.AutoencoderKL", AutoencoderKL);

}  // namespace ldm
