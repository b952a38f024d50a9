#include "sampler.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "../core/backend.h"
#include "../core/context.h"
#include "../core/random.h"

namespace ldm {

namespace {

Denoiser* denoiserOf(const std::shared_ptr<Object>& object) {
  auto* denoiser = dynamic_cast<Denoiser*>(object.get());
  if (!denoiser) invalid("'model' must be a DDPM or LatentDiffusion");
  return denoiser;
}

}  // namespace

Sampler::Sampler(const Value& params)
    : owner_(params.get("model").asObject("model")),
      model_(denoiserOf(owner_)),
      quantizeDenoised_(params.boolean("quantize_denoised")),
      graphed_(graphsWanted()),
      shape_(params.ints("shape")),
      mask_(params.optTensor("mask")),
      maskX0_(params.optTensor("x0")),
      noiseDropout_(params.number("noise_dropout")),
      repeatNoise_(params.boolean("repeat_noise")),
      logEveryT_(params.has("log_every_t") ? params.integer("log_every_t") : model_->logEveryT()) {
  at::NoGradGuard noGrad;
  if (shape_.size() < 3) invalid("'shape' must be [n, c, h, w], but has " + std::to_string(shape_.size()) + " entries");
  if (logEveryT_ < 1) invalid("'log_every_t' must be at least 1, but is " + std::to_string(logEveryT_));
  if (!(noiseDropout_ >= 0 && noiseDropout_ < 1))
    invalid("'noise_dropout' must lie in [0, 1), but is " + std::to_string(noiseDropout_));
  if (mask_.defined() != maskX0_.defined()) invalid("'mask' and 'x0' belong together: give both or neither");
  const Value& temperature = params.get("temperature");
  temperature_ = temperature.isNumber() ? std::vector<double>{temperature.asNumber()} : params.numbers("temperature");

  cond_ = Conditioning::from(params.get("conditioning"), model_->conditioningKey());
  const auto options = model_->diffusion().betas.options();
  if (graphed_) DeviceGraph::require(options.device());
  auto start = params.optTensor("x_T");
  if (start.defined() && start.sizes() != at::IntArrayRef(shape_))
    invalid("'x_T' must have the shape of the samples, but is " + Value(start).describe());
  x_ = start.defined() ? onDevice(start, options.device()) : ldm::randn(shape_, options);
  cond_ = cond_.firstOf(shape_[0]);
  if (masked()) {
    mask_ = onDevice(mask_, options.device());
    maskX0_ = onDevice(maskX0_, options.device());
  }

  method("step", [this](const Value& args) -> Value {
    step();
    return report(args.boolean("tensors"));
  });
  method("predict", [this](const Value&) -> Value {
    at::NoGradGuard noGradInMethod;
    if (done()) invalid("this sampling run is done");
    pending_ = nextEvaluation();
    auto out = evaluate(pending_);
    return Map{
        {"x", pending_.x}, {"t", pending_.t}, {"index", index_}, {"eps", out}, {"conditioning", cond_.toValue()}};
  });
  method("advance", [this](const Value& args) -> Value {
    at::NoGradGuard noGradInMethod;
    if (!pending_.x.defined()) invalid("advance() finishes a step that predict() began; call predict() first");
    finish(args.tensor("eps"));
    return report(args.boolean("tensors"));
  });
  method("result", [this](const Value&) -> Value { return result(); });
}

void Sampler::begin(int64_t total) {
  total_ = total;
  index_ = total - 1;
  if (temperature_.size() == 1) temperature_.resize(static_cast<size_t>(total), temperature_[0]);
  if (temperature_.size() < static_cast<size_t>(total))
    invalid("'temperature' must be a number or one for each of the " + std::to_string(total) +
            " steps, but there are " + std::to_string(temperature_.size()));
}

at::Tensor Sampler::timestepTensor(int64_t index) const {
  return at::full({shape_[0]}, timestepOf(index), x_.options().dtype(at::kLong));
}

void Sampler::step() {
  at::NoGradGuard noGrad;
  if (done()) invalid("this sampling run is done");
  do {
    poll();
    pending_ = nextEvaluation();
  } while (!finish(evaluate(pending_)));
}

bool Sampler::finish(const at::Tensor& out) {
  // Under autocast the network answers in half precision; the sampler's own arithmetic stays in the sample's.
  complete_ = advance(out.to(x_.scalar_type()), pending_);
  pending_ = {};
  if (complete_) --index_;
  return complete_;
}

at::Tensor Sampler::run() {
  while (!done()) step();
  return x_;
}

Value Sampler::report(bool tensors) const {
  Map out{{"done", done()},
          {"complete", complete_},
          {"step", total_ - 1 - index_},
          {"total", total_},
          {"t", timestepOf(complete_ ? index_ + 1 : index_)}};
  if (tensors && complete_) {
    out.set("x", x_);
    out.set("predX0", predX0_);
  }
  return out;
}

at::Tensor Sampler::applyModel(const at::Tensor& x, const at::Tensor& t, const Conditioning& cond) {
  if (!graphed_) return model_->applyModel(x, t, cond);
  std::vector<at::Tensor> inputs{x, t};
  for (const auto* list : {&cond.concat, &cond.crossattn}) inputs.insert(inputs.end(), list->begin(), list->end());
  if (cond.adm.defined()) inputs.push_back(cond.adm);
  return graph_.run(inputs, [&](const std::vector<at::Tensor>& given) {
    Conditioning own = cond;
    auto next = given.begin() + 2;
    for (auto* list : {&own.concat, &own.crossattn})
      for (at::Tensor& entry : *list) entry = *next++;
    if (own.adm.defined()) own.adm = *next;
    return model_->applyModel(given[0], given[1], own);
  });
}

at::Tensor Sampler::noise(double scale) const {
  auto shape = shape_;
  if (repeatNoise_) shape[0] = 1;
  auto n = ldm::randn(shape, x_.options());
  if (repeatNoise_) n = n.expand(shape_);
  n = n * scale * temperature_[static_cast<size_t>(index_)];
  return noiseDropout_ > 0 ? ldm::dropout(n, noiseDropout_, /*training=*/true) : n;
}

at::Tensor Sampler::blend(const at::Tensor& x, const at::Tensor& t) const {
  auto original = model_->diffusion().qSample(maskX0_, t, randnLike(maskX0_));
  return original * mask_ + (1. - mask_) * x;
}

Map plainSampling(std::shared_ptr<Object> model, const std::vector<int64_t>& shape, const Conditioning& cond) {
  return Map{{"model", std::move(model)},
             {"shape", Value::fromInts(shape)},
             {"conditioning", cond.toValue()},
             {"temperature", 1.0},
             {"noise_dropout", 0.0},
             {"quantize_denoised", false},
             {"repeat_noise", false},
             {"progressive", false},
             {"discretize", "uniform"},
             {"use_original_steps", false},
             {"unconditional_guidance_scale", 1.0},
             {"output_is_eps", false}};
}

}  // namespace ldm
