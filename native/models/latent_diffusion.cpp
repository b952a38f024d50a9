#include "latent_diffusion.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "../core/random.h"
#include "../core/registry.h"
#include "../modules/cond_stage.h"

namespace ldm {

namespace {

constexpr const char* kUnconditional = "__is_unconditional__";
constexpr const char* kFirstStage = "__is_first_stage__";

bool isWord(const Value& config, const char* word) { return config.isString() && config.asString() == word; }

ConditioningKey keyFrom(const Value& params) {
  // force_null_conditioning: conditions come from elsewhere (an embedding of a picture), never from the batch.
  if (isWord(params.get("cond_stage_config"), kUnconditional) && !params.boolean("force_null_conditioning"))
    return ConditioningKey::None;
  // Configs from before DiffusionWrapper have concat_mode instead of a conditioning_key.
  if (!params.has("conditioning_key"))
    return params.boolean("concat_mode") ? ConditioningKey::Concat : ConditioningKey::CrossAttn;
  return parseConditioningKey(params.get("conditioning_key"));
}

// The factor of a first stage, as its ddconfig tells; 1 of one without.
int64_t downsamplingOf(const Value& firstStage) {
  const Value& params = firstStage.get("params");
  if (!params.isMap() || !params.has("ddconfig")) return 1;
  return int64_t{1} << (params.get("ddconfig").ints("ch_mult").size() - 1);
}

// A batch's tensors on the model's device; texts as they are.
Value moved(const Value& value, const at::Device& device) {
  if (value.isTensor()) return value.asTensor().to(device);
  if (!value.isMap()) return value;
  Map out;
  for (const auto& [name, entry] : value.asMap()) out.set(name, moved(entry, device));
  return out;
}

Value firstOf(const Value& cond, int64_t limit) {
  return limit >= 0 && cond.isTensor() ? Value(cond.asTensor().slice(0, 0, limit)) : cond;
}

}  // namespace

LatentDiffusion::LatentDiffusion(const Value& params)
    : DDPM(params, keyFrom(params)),
      fixedScale_(params.number("scale_factor")),
      condStageTrainable_(params.boolean("cond_stage_trainable")),
      nullConditioning_(params.boolean("force_null_conditioning")),
      condStageKey_(params.string("cond_stage_key")),
      condStageForward_(params.has("cond_stage_forward") ? params.string("cond_stage_forward") : "") {
  clipDenoised_ = false;
  if (params.boolean("scale_by_std")) scaleFactor_ = buffer("scale_factor", at::full({}, fixedScale_, at::kFloat));

  const int64_t shortened = params.has("num_timesteps_cond") ? params.integer("num_timesteps_cond") : 1;
  const int64_t all = diffusion_.timesteps();
  if (shortened > all)
    invalid("'num_timesteps_cond' is " + std::to_string(shortened) + ", more than the model's " + std::to_string(all) +
            " timesteps");
  if (shortened > 1) {
    auto ids = at::full({all}, all - 1, at::kLong);
    ids.slice(0, 0, shortened).copy_(at::linspace(0, static_cast<double>(all - 1), shortened, at::kFloat).round());
    condIds_ = buffer("cond_ids", ids, /*persistent=*/false);
  }
  createStages(params);
  downsampling_ = downsamplingOf(params.get("first_stage_config"));
  announce();
  announcePatches();
}

void LatentDiffusion::createStages(const Value& params) {
  firstStage_ = child("first_stage_model", createFromConfig<FirstStage>(params.get("first_stage_config")));
  firstStage_->train(false);
  firstStage_->requiresGrad(false);

  const Value& config = params.get("cond_stage_config");
  if (condStageTrainable_ && config.isString())
    invalid("cond_stage_trainable needs a conditioning stage of its own, but cond_stage_config is '" +
            config.asString() + "'");
  if (isWord(config, kUnconditional)) return;
  if (isWord(config, kFirstStage)) {
    condStage_ = child<Module>("cond_stage_model", firstStage_);
    return;
  }
  condStage_ = child("cond_stage_model", createFromConfig<Module>(config));
  if (condStageTrainable_) return;
  condStage_->train(false);
  condStage_->requiresGrad(false);
}

void LatentDiffusion::announce() {
  method("encodeFirstStage", [this](const Value& a) -> Value {
    at::NoGradGuard noGrad;
    auto encoding = encodeFirstStage(a.tensor("x"));
    return encoding.posterior ? Map{{"posterior", encoding.posterior}} : Map{{"latent", encoding.latent}};
  });
  method("getFirstStageEncoding", [this](const Value& a) -> Value {
    if (a.has("posterior")) return Map{{"z", scaled(a.object<DiagonalGaussianDistribution>("posterior")->sample())}};
    return Map{{"z", scaled(a.tensor("latent"))}};
  });
  method("decodeFirstStage", [this](const Value& a) -> Value {
    at::NoGradGuard noGrad;
    return Map{{"x", decodeLatent(a.tensor("z"), a.boolean("predictCids"), a.boolean("forceNotQuantize"))}};
  });
  method("differentiableDecodeFirstStage", [this](const Value& a) -> Value {
    return Map{{"x", decodeLatent(a.tensor("z"), a.boolean("predictCids"), a.boolean("forceNotQuantize"))}};
  });
  method("getLearnedConditioning", [this](const Value& a) -> Value {
    return Map{{"c", learnedConditioning(a.get("input"))}};
  });
  method("getInput", [this](const Value& a) -> Value {
    auto input = latentInput(a.get("batch"), a.boolean("forceEncode"), a.has("limit") ? a.integer("limit") : -1);
    Map out{{"z", input.z}, {"c", input.cond}, {"x", input.x}, {"xc", input.condInput}};
    if (a.boolean("reconstruct")) {
      at::NoGradGuard noGrad;
      out.set("xrec", decodeLatent(input.z, false, false));
    }
    return out;
  });
  method("markRestarted", [this](const Value&) -> Value {
    restarted_ = true;
    return {};
  });
}

void LatentDiffusion::train(bool mode) {
  DDPM::train(mode);
  firstStage_->train(false);
  if (condStage_ && !condStageTrainable_) condStage_->train(false);
}

at::Tensor LatentDiffusion::scaled(const at::Tensor& z) const {
  return scaleFactor_.defined() ? scaleFactor_ * z : fixedScale_ * z;
}
at::Tensor LatentDiffusion::unscaled(const at::Tensor& z) const {
  return scaleFactor_.defined() ? 1. / scaleFactor_ * z : (1. / fixedScale_) * z;
}

at::Tensor LatentDiffusion::encodeLatent(const at::Tensor& x) {
  at::NoGradGuard noGrad;
  return scaled(encodeFirstStage(x).sample());
}

at::Tensor LatentDiffusion::decodeLatent(const at::Tensor& z, bool predictCids, bool forceNotQuantize) {
  if (!predictCids) return decodeFirstStage(unscaled(z), forceNotQuantize);
  auto codes = firstStage_->codebookEntry(z.dim() == 4 ? z.argmax(1) : z);
  return decodeFirstStage(unscaled(codes), /*forceNotQuantize=*/true);
}

at::Tensor LatentDiffusion::learnedConditioning(const Value& input) {
  if (!condStage_) invalid("an unconditional model has no conditioning to encode");
  if (condStageForward_.empty() || condStageForward_ == "encode") {
    if (auto* stage = dynamic_cast<FirstStage*>(condStage_.get())) return stage->encodeFirst(input.asTensor()).mode();
    return encodeCondition(*condStage_, input);
  }
  auto result = condStage_->call(condStageForward_, Map{{"x", input}, {"input", input}});
  for (const auto& [name, value] : result.asMap(condStageForward_.c_str()))
    if (value.isTensor()) return value.asTensor();
  invalid("cond_stage_forward names '" + condStageForward_ + "', which returned no tensor");
}

Conditioning LatentDiffusion::conditioningAt(const Conditioning& cond, const at::Tensor& t) {
  if (!condIds_.defined() || cond.empty()) return cond;
  if (conditioningKey() == ConditioningKey::Hybrid || cond.adm.defined())
    invalid("num_timesteps_cond > 1 does not go with hybrid conditioning");
  auto tc = condIds_.index_select(0, t);
  Conditioning out = cond;
  for (auto* list : {&out.concat, &out.crossattn})
    for (auto& c : *list) c = diffusion_.qSample(c, tc, randnLike(c.to(at::kFloat)));
  return out;
}

LatentInput LatentDiffusion::latentInput(const Value& batch, bool forceEncode, int64_t limit) {
  at::NoGradGuard noGrad;
  const at::Device device = diffusion_.betas.device();
  LatentInput out;
  out.x = imageInput(batch, firstStageKey_);
  if (limit >= 0) out.x = out.x.slice(0, 0, limit);
  out.z = encodeLatent(out.x);
  if (conditioningKey() == ConditioningKey::None || nullConditioning_) return out;

  if (condStageKey_ == firstStageKey_)
    out.condInput = out.x;
  else if (condStageKey_ == "caption" || condStageKey_ == "coordinates_bbox" || condStageKey_ == "txt")
    out.condInput = moved(batch.get(condStageKey_), device);
  else if (condStageKey_ == "class_label" || condStageKey_ == "cls")
    out.condInput = moved(batch, device);
  else
    out.condInput = imageInput(batch, condStageKey_);
  if (out.condInput.isNull()) invalid("the batch has no '" + condStageKey_ + "', which cond_stage_key names");
  out.cond =
      firstOf(condStageTrainable_ && !forceEncode ? out.condInput : Value(learnedConditioning(out.condInput)), limit);
  return out;
}

DiffusionLoss LatentDiffusion::sharedStep(const Value& batch) {
  auto input = latentInput(batch, /*forceEncode=*/false, /*limit=*/-1);
  auto t = randomTimesteps(input.z.size(0));
  Conditioning cond;
  if (conditioningKey() != ConditioningKey::None) {
    Value c = condStageTrainable_ ? Value(learnedConditioning(input.cond)) : input.cond;
    cond = conditioningAt(Conditioning::from(c, conditioningKey()), t);
  }
  return pLosses(input.z, cond, t, {});
}

DiffusionLoss LatentDiffusion::pLosses(const at::Tensor& xStart, const Conditioning& cond, const at::Tensor& t,
                                       at::Tensor noise) {
  if (!noise.defined()) noise = randnLike(xStart);
  auto out = applyModel(diffusion_.qSample(xStart, t, noise), t, cond);
  auto element = elementLoss(out, xStart, noise, t);
  auto vlb = (diffusion_.lvlbWeights.index_select(0, t) * element).mean();

  // The learned (or fixed) log-variance weighs every timestep, also when it is not learned.
  auto logvar = logvar_.index_select(0, t);
  auto weighted = (element / logvar.exp() + logvar).mean();
  DiffusionLoss loss;
  loss.value = lSimpleWeight_ * weighted + originalElboWeight_ * vlb;
  loss.log = {{prefixed("loss_simple"), element.mean()}};
  if (learnLogvar_) {
    loss.log.emplace_back(prefixed("loss_gamma"), weighted);
    loss.log.emplace_back("logvar", logvar_.detach().mean());
  }
  loss.log.emplace_back(prefixed("loss_vlb"), vlb);
  loss.log.emplace_back(prefixed("loss"), loss.value);
  return loss;
}

std::vector<at::Tensor> LatentDiffusion::trainedParameters() const {
  auto out = model_->parameters();
  if (condStageTrainable_)
    for (auto& p : condStage_->parameters()) out.push_back(p);
  if (learnLogvar_) out.push_back(logvar_);
  return out;
}

void LatentDiffusion::onTrainBatchStart(const Value& batch, int64_t batchIdx, int64_t globalStep) {
  if (!scaleFactor_.defined() || globalStep != 0 || batchIdx != 0 || restarted_) return;
  at::NoGradGuard noGrad;
  if (scaleFactor_.item<float>() != 1.f)
    invalid("scale_by_std measures the scale itself; leave scale_factor at 1 (it is " +
            std::to_string(scaleFactor_.item<float>()) + ")");
  auto z = encodeLatent(imageInput(batch, firstStageKey_));
  scaleFactor_.copy_(1. / z.flatten().std());
}

REGISTER("ldm.models.diffusion.ddpm.LatentDiffusion", LatentDiffusion);
// Differs from LatentDiffusion in its pictures of bounding boxes only.
REGISTER("ldm.models.diffusion.ddpm.Layout2ImgDiffusion", LatentDiffusion);

}  // namespace ldm
