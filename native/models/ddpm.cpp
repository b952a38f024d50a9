#include "ddpm.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "../core/backend.h"
#include "../core/random.h"
#include "../core/registry.h"
#include "../diffusion/ddpm_sampler.h"
#include "../diffusion/schedule.h"
#include "image_grid.h"

namespace ldm {

namespace {

// A side, or height and width.
std::vector<int64_t> sides(const Value& size) {
  if (!size.isList()) return std::vector<int64_t>(2, size.asInteger("image_size"));
  auto out = size.asInts("image_size");
  if (out.size() != 2) invalid("'image_size' must be a side, or height and width, but is " + size.describe());
  return out;
}

}  // namespace

DDPM::DDPM(const Value& params) : DDPM(params, parseConditioningKey(params.get("conditioning_key"))) {}

DDPM::DDPM(const Value& params, ConditioningKey key)
    : diffusion_(params),
      clipDenoised_(params.boolean("clip_denoised")),
      learnLogvar_(params.boolean("learn_logvar")),
      firstStageKey_(params.string("first_stage_key")),
      lSimpleWeight_(params.number("l_simple_weight")),
      originalElboWeight_(params.number("original_elbo_weight")),
      l1_(params.string("loss_type") == "l1"),
      scheduled_(params.has("scheduler_config")),
      logEveryT_(params.integer("log_every_t")),
      channels_(params.integer("channels")),
      imageSize_(sides(params.get("image_size"))) {
  if (!l1_ && params.string("loss_type") != "l2")
    invalid("unknown loss_type '" + params.string("loss_type") + "': expected l1 or l2");
  if (params.boolean("use_positional_encodings"))
    invalid("use_positional_encodings has no implementation in latent-diffusion; leave it false");

  model_ = child("model", std::make_shared<DiffusionWrapper>(params.get("unet_config"), key));
  if (params.boolean("use_ema"))
    ema_ = child("model_ema", std::make_shared<LitEma>(model_->namedParameters(), 0.9999, /*useNumUpdates=*/true));
  for (const auto& [name, tensor] : diffusion_.buffers()) buffer(name, tensor);
  buffer("lvlb_weights", diffusion_.lvlbWeights, /*persistent=*/false);
  auto logvar = at::full({diffusion_.timesteps()}, params.number("logvar_init"), at::kFloat);
  logvar_ = learnLogvar_ ? parameter("logvar", logvar) : buffer("logvar", logvar, /*persistent=*/false);

  announceFormulas();
  announceTraining();
}

void DDPM::announceFormulas() {
  auto moments = [](const NormalMoments& m) -> Value {
    return Map{{"mean", m.mean}, {"variance", m.variance}, {"logVariance", m.logVariance}};
  };
  method("qSample", [this](const Value& a) -> Value {
    const auto& x = a.tensor("xStart");
    auto noise = a.optTensor("noise");
    return Map{{"x", diffusion_.qSample(x, a.tensor("t"), noise.defined() ? noise : randnLike(x))}};
  });
  method("stochasticEncode", [this](const Value& a) -> Value {
    at::NoGradGuard noGrad;
    const auto &x = a.tensor("x0"), &t = a.tensor("t");
    auto noise = a.optTensor("noise");
    if (!noise.defined()) noise = randnLike(x);
    if (a.boolean("use_original_steps")) return Map{{"x", diffusion_.qSample(x, t, noise)}};
    auto steps = makeDdimTimesteps(a.string("discretize"), a.integer("S"), diffusion_.timesteps());
    return Map{{"x", diffusion_.qSampleAtSteps(x, t, steps, noise)}};
  });
  method("qMeanVariance", [this, moments](const Value& a) -> Value {
    return moments(diffusion_.qMeanVariance(a.tensor("xStart"), a.tensor("t")));
  });
  method("qPosterior", [this, moments](const Value& a) -> Value {
    return moments(diffusion_.qPosterior(a.tensor("xStart"), a.tensor("x"), a.tensor("t")));
  });
  method("predictStartFromNoise", [this](const Value& a) -> Value {
    return Map{{"xStart", diffusion_.predictStartFromNoise(a.tensor("x"), a.tensor("t"), a.tensor("noise"))}};
  });
  method("predictEpsFromXstart", [this](const Value& a) -> Value {
    return Map{{"eps", diffusion_.predictEpsFromStart(a.tensor("x"), a.tensor("t"), a.tensor("xStart"))}};
  });
  method("getV", [this](const Value& a) -> Value {
    return Map{{"v", diffusion_.getV(a.tensor("xStart"), a.tensor("noise"), a.tensor("t"))}};
  });
  method("predictStartFromV", [this](const Value& a) -> Value {
    return Map{{"xStart", diffusion_.predictStartFromV(a.tensor("x"), a.tensor("t"), a.tensor("v"))}};
  });
  method("predictEpsFromV", [this](const Value& a) -> Value {
    return Map{{"eps", diffusion_.predictEpsFromV(a.tensor("x"), a.tensor("t"), a.tensor("v"))}};
  });
  method("priorBpd", [this](const Value& a) -> Value { return Map{{"bpd", diffusion_.priorBpd(a.tensor("xStart"))}}; });
  method("schedule", [this](const Value&) -> Value {
    Map out;
    for (const auto& [name, tensor] : diffusion_.buffers()) out.set(name, tensor);
    out.set("lvlb_weights", diffusion_.lvlbWeights);
    return out;
  });
  method("applyModel", [this](const Value& a) -> Value {
    auto cond = Conditioning::from(a.get("cond"), conditioningKey());
    return Map{{"out", applyModel(a.tensor("x"), a.tensor("t"), cond)}};
  });
  method("pMeanVariance", [this](const Value& a) -> Value {
    const auto &x = a.tensor("x"), &t = a.tensor("t");
    auto out = applyModel(x, t, Conditioning::from(a.get("cond"), conditioningKey()));
    auto p = reverseMoments(*this, out, x, t, a.boolean("clipDenoised"), a.boolean("quantizeDenoised"));
    return Map{{"mean", p.x.mean}, {"variance", p.x.variance}, {"logVariance", p.x.logVariance}, {"x0", p.x0}};
  });
  method("pSample", [this](const Value& a) -> Value {
    at::NoGradGuard noGrad;
    const auto &x = a.tensor("x"), &t = a.tensor("t");
    auto out = applyModel(x, t, Conditioning::from(a.get("cond"), conditioningKey()));
    auto p = reverseMoments(*this, out, x, t, a.boolean("clipDenoised"), a.boolean("quantizeDenoised"));
    auto shape = x.sizes().vec();
    if (a.boolean("repeatNoise")) shape[0] = 1;
    auto noise = ldm::randn(shape, x.options()) * a.number("temperature");
    auto later = extract((at::arange(diffusion_.timesteps(), t.options()) > 0).to(x.scalar_type()), t, x.dim());
    return Map{{"x", p.x.mean + later * (0.5 * p.x.logVariance).exp() * noise}, {"x0", p.x0}};
  });
}

at::Tensor DDPM::applyModel(const at::Tensor& x, const at::Tensor& t, const Conditioning& cond) {
  return model_->forward(x, t, cond);
}

at::Tensor DDPM::quantizeLatent(const at::Tensor&) {
  invalid("a model without a first stage has no codes to quantize with; leave quantization off");
}

at::Tensor DDPM::imageInput(const Value& batch, const std::string& key) const {
  const Value& entry = batch.get(key);
  if (entry.isNull()) {
    std::string keys;
    for (const auto& [name, value] : batch.asMap("batch")) keys += (keys.empty() ? "" : ", ") + name;
    invalid("the batch has no '" + key + "'; it has: " + (keys.empty() ? "nothing" : keys));
  }
  at::Tensor x = entry.asTensor(key.c_str());
  if (x.dim() == 3) x = x.unsqueeze(-1);
  if (x.dim() != 4) invalid("'" + key + "' must be [n, h, w] or [n, h, w, c], but is " + entry.describe());
  return onDevice(x, diffusion_.betas.device()).permute({0, 3, 1, 2}).contiguous().to(at::kFloat);
}

at::Tensor DDPM::randomTimesteps(int64_t n) const {
  return ldm::randint(0, diffusion_.timesteps(), {n}, diffusion_.betas.options().dtype(at::kLong));
}

at::Tensor DDPM::elementLoss(const at::Tensor& out, const at::Tensor& xStart, const at::Tensor& noise,
                             const at::Tensor& t) const {
  const auto target = diffusion_.targetOf(xStart, noise, t);
  auto loss = l1_ ? (target - out).abs() : at::mse_loss(target, out, at::Reduction::None);
  return loss.mean({1, 2, 3});
}

DiffusionLoss DDPM::pLosses(const at::Tensor& xStart, const Conditioning& cond, const at::Tensor& t, at::Tensor noise) {
  if (!noise.defined()) noise = randnLike(xStart);
  auto out = applyModel(diffusion_.qSample(xStart, t, noise), t, cond);
  auto element = elementLoss(out, xStart, noise, t);
  auto simple = element.mean();
  auto vlb = (diffusion_.lvlbWeights.index_select(0, t) * element).mean();
  DiffusionLoss loss;
  loss.value = simple * lSimpleWeight_ + originalElboWeight_ * vlb;
  loss.log = {{prefixed("loss_simple"), simple}, {prefixed("loss_vlb"), vlb}, {prefixed("loss"), loss.value}};
  return loss;
}

DiffusionLoss DDPM::sharedStep(const Value& batch) {
  auto x = imageInput(batch, firstStageKey_);
  return pLosses(x, {}, randomTimesteps(x.size(0)), {});
}

std::vector<int64_t> DDPM::loggedTimesteps() const {
  std::vector<int64_t> out;
  for (int64_t t = 0; t < diffusion_.timesteps(); ++t)
    if (t % logEveryT_ == 0 || t == diffusion_.timesteps() - 1) out.push_back(t);
  return out;
}

Value DDPM::logImages(const Value& args) {
  at::NoGradGuard noGrad;
  auto x = imageInput(args.get("batch"), firstStageKey_);
  const int64_t columns = std::min(x.size(0), args.integer("n_row"));
  x = x.slice(0, 0, args.integer("N"));
  Map log{{"inputs", x}};

  auto start = x.slice(0, 0, columns);
  std::vector<at::Tensor> noisy;
  for (int64_t step : loggedTimesteps()) {
    auto t = at::full({start.size(0)}, step, x.options().dtype(at::kLong));
    noisy.push_back(diffusion_.qSample(start, t, randnLike(start)));
  }
  log.set("diffusion_row", rowGrid(noisy));

  if (args.boolean("sample")) {
    EmaScope averaged = emaScope();
    DDPMSampler sampler(plainSampling(shared_from_this(), sampleShape(x.size(0)), {}));
    log.set("samples", sampler.run());
    log.set("denoise_row", rowGrid(sampler.intermediates()));
  }
  return log;
}

REGISTER("ldm.models.diffusion.ddpm.DDPM", DDPM);

}  // namespace ldm
