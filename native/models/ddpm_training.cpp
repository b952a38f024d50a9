// The training side of DDPM and LatentDiffusion: one micro-batch is one job, in the order of Lightning's loop around
// the reference: on_train_batch_start, loss, backward, optimizer step, EMA (on every micro-batch).
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "ddpm.h"

namespace ldm {

namespace {

Value lossValue(const DiffusionLoss& loss) {
  Map log;
  for (const auto& [name, value] : loss.log) log.set(name, value.detach());
  return Map{{"loss", loss.value}, {"log", std::move(log)}};
}

}  // namespace

void DDPM::announceTraining() {
  method("pLosses", [this](const Value& a) -> Value {
    auto cond = Conditioning::from(a.get("cond"), conditioningKey());
    return lossValue(pLosses(a.tensor("xStart"), cond, a.tensor("t"), a.optTensor("noise")));
  });
  method("sharedStep", [this](const Value& a) -> Value { return lossValue(sharedStep(a.get("batch"))); });
  method("onTrainBatchStart", [this](const Value& a) -> Value {
    onTrainBatchStart(a.get("batch"), a.integer("batchIdx"), a.integer("globalStep"));
    return {};
  });
  method("trainBatch", [this](const Value& a) -> Value { return trainBatch(a); });
  method("validateBatch", [this](const Value& a) -> Value { return validateBatch(a); });
  method("logImages", [this](const Value& a) -> Value { return logImages(a); });
  method("configureOptimizers", [this](const Value& a) -> Value {
    optimization_.configure(trainedParameters(), a);
    return {};
  });
  optimization_.announce([this](std::string name, Method fn) { method(std::move(name), std::move(fn)); });
  method("emaEnter", [this](const Value&) -> Value {
    if (ema_) ema_->enter(model_->namedParameters());
    return {};
  });
  method("emaReset", [this](const Value& a) -> Value {
    if (!ema_) invalid("there are no moving averages to reset: set use_ema to true");
    if (a.boolean("averages"))
      ema_->reset(model_->namedParameters());
    else
      ema_->resetNumUpdates();
    return {};
  });
  method("emaExit", [this](const Value&) -> Value {
    if (ema_) ema_->exit(model_->namedParameters());
    return {};
  });
}

std::vector<at::Tensor> DDPM::trainedParameters() const {
  auto out = model_->parameters();
  if (learnLogvar_) out.push_back(logvar_);
  return out;
}

Value DDPM::trainBatch(const Value& args) {
  if (ema_) ema_->requireOut();
  auto& optimizer = optimization_.optimizer();
  at::AutoGradMode grad(true);
  const Value& batch = args.get("batch");
  const int64_t globalStep = args.integer("globalStep");
  onTrainBatchStart(batch, args.integer("batchIdx"), globalStep);

  optimization_.begin();
  auto loss = sharedStep(batch);
  optimization_.finish(loss.value, args, *this);
  if (ema_) ema_->update(model_->namedParameters());

  return optimization_.log(loss.log, args, [&](Map& scalars) {
    scalars.set("global_step", globalStep);
    if (scheduled_) scalars.set("lr_abs", optimizer.learningRate());
  });
}

Value DDPM::validateBatch(const Value& args) {
  at::NoGradGuard noGrad;
  auto log = sharedStep(args.get("batch")).log;
  {
    EmaScope averaged = emaScope();
    for (const auto& [name, value] : sharedStep(args.get("batch")).log) log.emplace_back(name + "_ema", value);
  }
  return Map{{"log", scalarLog(log)}};
}

}  // namespace ldm
