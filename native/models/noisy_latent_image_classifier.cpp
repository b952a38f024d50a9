#include "noisy_latent_image_classifier.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "../core/autograd.h"
#include "../core/backend.h"

#include "../core/random.h"
#include "../core/registry.h"
#include "../modules/denoising_network.h"
#include "../modules/encoder_unet.h"
#include "../modules/interpolate.h"

namespace ldm {

NoisyLatentImageClassifier::NoisyLatentImageClassifier(const Value& params)
    : labelKey_(params.string("label_key")),
      numClasses_(params.integer("num_classes")),
      logSteps_(params.integer("log_steps")),
      weightDecay_(params.number("weight_decay")) {
  if (labelKey_ != "class_label" && labelKey_ != "segmentation")
    invalid("'label_key' must be class_label or segmentation, but is '" + labelKey_ + "'");
  diffusion_ = child("diffusion_model", createFromConfig<LatentDiffusion>(params.get("diffusion_config")));
  diffusion_->train(false);
  diffusion_->requiresGrad(false);
  model_ = child("model", createFromConfig<Module>(params.get("classifier_config")));
  encoder_ = std::dynamic_pointer_cast<EncoderUNetModel>(model_);
  unet_ = std::dynamic_pointer_cast<DenoisingNetwork>(model_);
  if (!encoder_ && !unet_) invalid("The classifier's network must be an EncoderUNetModel or a U-Net");
  announce();
}

void NoisyLatentImageClassifier::train(bool mode) {
  Module::train(mode);
  diffusion_->train(false);
}

void NoisyLatentImageClassifier::announce() {
  method("forward", [this](const Value& a) -> Value { return Map{{"logits", forward(a.tensor("x"), a.tensor("t"))}}; });
  method("sharedStep", [this](const Value& a) -> Value {
    auto step = sharedStep(a.get("batch"), a.has("t") ? std::optional(a.integer("t")) : std::nullopt);
    Map log;
    for (const auto& [name, value] : step.log) log.set(name, value);
    return Map{{"loss", step.loss},
               {"log", std::move(log)},
               {"logits", step.logits},
               {"xNoisy", step.xNoisy},
               {"targets", step.targets}};
  });
  method("guide", [this](const Value& a) -> Value {
    if (diffusion_->diffusion().parameterization() != Parameterization::Eps)
      invalid("A classifier guides models that predict noise (parameterization eps)");
    const at::Tensor &x = a.tensor("x"), &t = a.tensor("t");
    const at::Tensor towards = logProbabilityGradient(x, t, a.tensor("labels")).detach();
    const at::Tensor noiseLevel = extract(diffusion_->diffusion().sqrtOneMinusAlphasCumprod, t, x.dim());
    return Map{{"eps", a.tensor("eps") - a.number("scale") * noiseLevel * towards}};
  });
  method("logImages", [this](const Value& a) -> Value { return logImages(a); });
  method("trainBatch", [this](const Value& a) -> Value { return trainBatch(a); });
  method("validateBatch", [this](const Value& a) -> Value { return validateBatch(a); });
  method("configureOptimizers", [this](const Value& a) -> Value {
    optimization_.configure(model_->parameters(), a, weightDecay_);
    return {};
  });
  optimization_.announce([this](std::string name, Method fn) { method(std::move(name), std::move(fn)); });
}

at::Tensor NoisyLatentImageClassifier::forward(const at::Tensor& x, const at::Tensor& t) {
  return encoder_ ? encoder_->forward(x, t) : unet_->forward(x, t, {}, {});
}

at::Tensor NoisyLatentImageClassifier::conditioning(const Value& batch) const {
  if (labelKey_ == "class_label") {
    const at::Tensor labels = onDevice(batch.tensor(labelKey_), diffusion_->diffusion().betas.device());
    if (labels.dim() != 1) invalid("'class_label' must be labels [n], but is " + Value(labels).describe());
    return labels.to(at::kLong);
  }
  at::Tensor map = diffusion_->imageInput(batch, labelKey_);
  for (int64_t f = diffusion_->downsampling(); f > 1; f /= 2)
    map = interpolateNearest(map, map.size(2) / 2, map.size(3) / 2);
  return map;
}

at::Tensor NoisyLatentImageClassifier::topK(const at::Tensor& logits, const at::Tensor& labels, int64_t k) const {
  const at::Tensor best = std::get<1>(at::topk(logits, std::min(k, logits.size(1)), 1));
  return (best == labels.unsqueeze(1)).to(at::kFloat).sum(1).mean();
}

NoisyLatentImageClassifier::Step NoisyLatentImageClassifier::sharedStep(const Value& batch,
                                                                        std::optional<int64_t> timestep) {
  Step step;
  at::Tensor t;
  {
    at::NoGradGuard noGrad;
    const at::Tensor x = diffusion_->encodeLatent(diffusion_->imageInput(batch));
    step.targets = conditioning(batch);
    if (step.targets.dim() == 4) step.targets = step.targets.argmax(1);
    const auto options = x.options().dtype(at::kLong);
    const auto& diffusion = diffusion_->diffusion();
    t = timestep ? at::full({x.size(0)}, *timestep, options)
                 : ldm::randint(0, diffusion.timesteps(), {x.size(0)}, options);
    step.xNoisy = diffusion.qSample(x, t, randnLike(x));
  }
  step.logits = forward(step.xNoisy, t);
  step.loss = at::cross_entropy_loss(step.logits, step.targets, {}, at::Reduction::None).mean();

  at::NoGradGuard noGrad;
  const std::string prefix = training() ? "train/" : "val/";
  const at::Tensor logits = step.logits.detach();
  step.log = {{prefix + "loss", step.loss.detach()},
              {prefix + "acc@1", topK(logits, step.targets, 1)},
              {prefix + "acc@5", topK(logits, step.targets, 5)}};
  return step;
}

Value NoisyLatentImageClassifier::trainBatch(const Value& args) {
  auto& optimizer = optimization_.optimizer();
  at::AutoGradMode grad(true);
  optimization_.begin();
  auto step = sharedStep(args.get("batch"), {});
  optimization_.finish(step.loss, args, *model_);
  return optimization_.log(step.log, args, [&](Map& scalars) { scalars.set("lr_abs", optimizer.learningRate()); });
}

Value NoisyLatentImageClassifier::validateBatch(const Value& args) {
  at::NoGradGuard noGrad;
  const Value& batch = args.get("batch");
  // Lightning averages what one batch logs several times under a name: at random timesteps and at each fixed one.
  auto log = sharedStep(batch, {}).log;
  std::vector<std::pair<std::string, at::Tensor>> byTime;
  int64_t count = 1;
  for (int64_t t = 0; t < diffusion_->diffusion().timesteps(); t += diffusion_->logEveryT(), ++count) {
    const auto fixed = sharedStep(batch, t).log;
    for (size_t i = 0; i < log.size(); ++i) {
      log[i].second = log[i].second + fixed[i].second;
      if (i > 0) byTime.emplace_back(fixed[i].first + "@t" + std::to_string(t), fixed[i].second);
    }
  }
  for (auto& [name, value] : log) value = value / count;
  log.insert(log.end(), byTime.begin(), byTime.end());
  return Map{{"log", scalarLog(log)}};
}

Value NoisyLatentImageClassifier::logImages(const Value& args) {
  at::NoGradGuard noGrad;
  const Value& batch = args.get("batch");
  const int64_t n = args.integer("N");
  const auto first = [n](const at::Tensor& t) { return t.slice(0, 0, n); };
  Map log{{"inputs", first(diffusion_->imageInput(batch))}};
  if (labelKey_ == "class_label") return log;

  log.set("labels", first(diffusion_->toRgb(conditioning(batch))));
  const int64_t interval = diffusion_->diffusion().timesteps() / logSteps_;
  for (int64_t i = 0; i < logSteps_; ++i) {
    const int64_t t = i * interval;
    const auto step = sharedStep(batch, t);
    log.set("inputs@t" + std::to_string(t), first(step.xNoisy));
    const at::Tensor predicted = at::one_hot(step.logits.argmax(1), numClasses_).permute({0, 3, 1, 2});
    log.set("pred@t" + std::to_string(t), first(diffusion_->toRgb(predicted)));
  }
  return log;
}

at::Tensor NoisyLatentImageClassifier::logProbabilityGradient(const at::Tensor& x, const at::Tensor& t,
                                                              const at::Tensor& labels) {
  at::AutoGradMode grad(true);
  const at::Tensor input = x.detach().requires_grad_(true);
  const at::Tensor logits = forward(input, t);
  if (labels.dim() + 1 != logits.dim())
    invalid("The labels must be class indices of " + std::to_string(logits.dim() - 1) + " dimensions, but they are " +
            Value(labels).describe());
  const at::Tensor chosen = at::log_softmax(logits, 1).gather(1, labels.to(at::kLong).unsqueeze(1));
  return gradients({chosen.sum()}, {input})[0];
}

REGISTER("ldm.models.diffusion.classifier.NoisyLatentImageClassifier", NoisyLatentImageClassifier);

}  // namespace ldm
