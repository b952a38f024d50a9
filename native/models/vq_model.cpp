#include "vq_model.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "../core/random.h"
#include "../core/registry.h"
#include "../modules/vector_quantizer.h"
#include "../modules/vq_lpips_with_discriminator.h"

namespace ldm {

namespace {

constexpr double kBeta = 0.25;
constexpr double kEmaDecay = 0.9999;
/// Sides of resized batches lie this far apart.
constexpr int64_t kResizeStep = 16;
/// As long batches have the largest side, so that a lack of memory shows early.
constexpr int64_t kLastLargestStep = 4;

/// An option that not all of these models have.
bool flag(const Value& params, const char* name) { return params.has(name) && params.boolean(name); }

void merge(Map& log, const Map& more) {
  for (const auto& [name, value] : more) log.set(name, value);
}

}  // namespace

VQModel::VQModel(const Value& params) : TrainableAutoencoder(params) {
  const Value& ddconfig = params.get("ddconfig");
  const int64_t embedDim = params.integer("embed_dim"), zChannels = ddconfig.integer("z_channels");
  if (ddconfig.boolean("double_z")) invalid("A VQ model needs double_z: false in its ddconfig");
  addCoders(ddconfig);
  drops_ = ddconfig.number("dropout") > 0;
  addLoss(params.get("lossconfig"));
  quantize_ = child("quantize",
                    std::make_shared<VectorQuantizer2>(Map{{"n_e", params.integer("n_embed")},
                                                           {"e_dim", embedDim},
                                                           {"beta", kBeta},
                                                           {"legacy", true},
                                                           {"remap", params.get("remap")},
                                                           {"unknown_index", "random"},
                                                           {"sane_index_shape", flag(params, "sane_index_shape")}}));
  addLatentConvolutions(zChannels, embedDim, embedDim, zChannels);
  addColorize(params);
  if (params.has("batch_resize_range")) resizeRange_ = params.ints("batch_resize_range");
  if (params.has("lr_g_factor")) lrGFactor_ = params.number("lr_g_factor");
  if (flag(params, "use_ema"))
    ema_ = child("model_ema", std::make_shared<LitEma>(namedParameters(), kEmaDecay, /*useNumUpdates=*/true));

  method("encode",
         [this](const Value& args) -> Value { return quantize_->quantize(encodeMoments(args.tensor("x"))).toValue(); });
  method("encodeToPrequant", [this](const Value& args) -> Value {
    return Map{{"z", encodeMoments(args.tensor("x"))}};
  });
  method("quantize", [this](const Value& args) -> Value { return quantize_->quantize(args.tensor("z")).toValue(); });
  method("codebookEntry", [this](const Value& args) -> Value {
    return Map{{"quant", codebookEntry(args.tensor("indices"))}};
  });
  method("decode", [this](const Value& args) -> Value {
    return Map{{"x", decodeFirst(args.tensor("z"), args.boolean("forceNotQuantize"))}};
  });
  method("forward", [this](const Value& args) -> Value {
    Output out = forward(args.tensor("x"));
    return Map{{"reconstructions", out.reconstructions}, {"loss", out.codebookLoss}, {"indices", out.indices}};
  });
  method("emaEnter", [this](const Value&) -> Value {
    if (ema_) ema_->enter(namedParameters());
    return {};
  });
  method("emaExit", [this](const Value&) -> Value {
    if (ema_) ema_->exit(namedParameters());
    return {};
  });
}

int64_t VQModel::batchSide() const {
  const int64_t smallest = resizeRange_[0], largest = resizeRange_[1];
  if (globalStep_ <= kLastLargestStep) return largest;
  // numpy.arange(smallest, largest + 16, 16): the last one may exceed the range.
  const int64_t sides = (largest - smallest) / kResizeStep + ((largest - smallest) % kResizeStep ? 2 : 1);
  return smallest + kResizeStep * randint(0, sides, {}, at::kLong).item<int64_t>();
}

at::Tensor VQModel::getInput(const Value& batch, const std::string& key) {
  at::Tensor x = ImageAutoencoder::getInput(batch, key);
  if (resizeRange_.empty()) return x;
  const int64_t side = batchSide();
  if (side == x.size(2)) return x;
  return at::upsample_bicubic2d(x, {side, side}, /*align_corners=*/false).detach();
}

FirstStageEncoding VQModel::encodeFirst(const at::Tensor&) {
  invalid(
      "Latent diffusion works on what lies before the codebook: give ldm.models.autoencoder.VQModelInterface as the "
      "target of its first stage; it takes the same params and checkpoint");
}

VQModel::Output VQModel::forward(const at::Tensor& x) {
  Quantized q = quantize_->quantize(encodeMoments(x));
  return {ImageAutoencoder::decodeFirst(q.quant, true), q.loss, q.indices};
}

LossResult VQModel::turn(const at::Tensor& inputs, const Output& out, int64_t optimizerIdx, const std::string& split,
                         bool skipDiscriminator) {
  auto* loss = dynamic_cast<VQLPIPSWithDiscriminator*>(&ganLoss());
  if (!loss)
    invalid(
        "VQ models train with taming.modules.losses.vqperceptual.VQLPIPSWithDiscriminator or "
        "ldm.modules.losses.vqperceptual.VQLPIPSWithDiscriminator; this one's lossconfig names another");
  const GanInputs in{.inputs = inputs,
                     .reconstructions = out.reconstructions,
                     .cond = {},
                     .lastLayer = lastLayer(),
                     .globalStep = globalStep_,
                     .split = split,
                     .skipDiscriminator = skipDiscriminator};
  return optimizerIdx == 0 ? loss->autoencoderTurn(in, out.codebookLoss, out.indices) : loss->discriminatorTurn(in);
}

void VQModel::passForward(const at::Tensor& inputs) {
  if (!drops_ && quantize_->isPure()) return;
  at::NoGradGuard noGrad;
  forward(inputs);
}

LossResult VQModel::trainingStep(const Value& batch, int64_t optimizerIdx, int64_t globalStep,
                                 const Shortcuts& shortcuts) {
  if (ema_) ema_->requireOut();
  globalStep_ = globalStep;
  at::Tensor inputs = getInput(batch, imageKey_);
  Output out;
  if (optimizerIdx == 1 && (shortcuts.idle || shortcuts.reuse)) {
    passForward(inputs);
    if (shortcuts.idle) return ganLoss().idleDiscriminatorTurn(inputs, "train");
    out.reconstructions = kept_;
  } else {
    // The discriminator sees the reconstructions detached: its turn needs no graph of the autoencoder.
    at::AutoGradMode graph(at::GradMode::is_enabled() && optimizerIdx == 0);
    out = forward(inputs);
    if (shortcuts.reuse) kept_ = out.reconstructions.detach();
  }
  return turn(inputs, out, optimizerIdx, "train", shortcuts.idle);
}

Map VQModel::validationLosses(const Value& batch, const std::string& split) {
  at::Tensor inputs = getInput(batch, imageKey_);
  Output out = forward(inputs);
  LossResult autoencoder = turn(inputs, out, 0, split);
  Map log = autoencoder.log;
  log.set(split + "/aeloss", autoencoder.loss.detach());
  merge(log, turn(inputs, out, 1, split).log);
  return log;
}

Map VQModel::validationStep(const Value& batch, int64_t globalStep) {
  globalStep_ = globalStep;
  Map log = validationLosses(batch, "val");
  if (ema_) {
    EmaScope averaged = emaScope();
    merge(log, validationLosses(batch, "val_ema"));
    return log;
  }
  // The reference computes the same once more; only the names differ.
  const Map plain = log;
  for (const auto& [name, value] : plain) log.set("val_ema" + name.substr(name.find('/')), value);
  return log;
}

std::vector<at::Tensor> VQModel::generatorParameters(bool codebook) const {
  std::vector<const Module*> parts{encoder_.get(), decoder_.get()};
  if (codebook) parts.push_back(quantize_.get());
  parts.insert(parts.end(), {quantConv_.get(), postQuantConv_.get()});
  return joinParameters(parts);
}

std::vector<GanTraining::Group> VQModel::optimizerGroups(double learningRate) {
  return {{generatorParameters(/*codebook=*/true), lrGFactor_ * learningRate},
          {ganLoss().discriminator().parameters(), learningRate}};
}

void VQModel::onTrainBatchEnd() {
  if (ema_) ema_->update(namedParameters());
}

Map VQModel::logImages(const Value& batch, const Value& options) {
  at::Tensor x = getInput(batch, imageKey_);
  if (options.boolean("only_inputs")) return {{"inputs", x}};
  const bool coloured = x.size(1) > 3;
  auto shown = [&](const at::Tensor& images) { return coloured ? toRgb(images) : images; };
  Map images{{"inputs", shown(x)}, {"reconstructions", shown(forward(x).reconstructions)}};
  if (options.boolean("plot_ema")) {
    EmaScope averaged = emaScope();
    images.set("reconstructions_ema", shown(forward(x).reconstructions));
  }
  return images;
}

void VQModel::replaceQuantizer(std::shared_ptr<Quantizer> quantizer) {
  replaceChild("quantize", quantizer);
  quantize_ = std::move(quantizer);
}

at::Tensor VQModelInterface::decodeFirst(const at::Tensor& z, bool forceNotQuantize) {
  return ImageAutoencoder::decodeFirst(forceNotQuantize ? z : quantizeFirst(z), true);
}

REGISTER("ldm.models.autoencoder.VQModel", VQModel);
REGISTER("ldm.models.autoencoder.VQModelInterface", VQModelInterface);

}  // namespace ldm
