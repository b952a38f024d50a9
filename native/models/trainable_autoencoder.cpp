#include "trainable_autoencoder.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "../kernels/training_scope.h"

namespace ldm {

TrainableAutoencoder::TrainableAutoencoder(const Value& params) : ImageAutoencoder(params) {
  method("perceptualReady", [this](const Value&) -> Value { return Map{{"ready", ganLoss().perceptualReady()}}; });
  method("trainingStep", [this](const Value& args) -> Value {
    LossResult r = takeTurn(args, args.integer("optimizerIdx"), {});
    return Map{{"loss", r.loss}, {"log", r.log}};
  });
  method("validationStep", [this](const Value& args) -> Value {
    return Map{{"log", validationStep(args.get("batch"), args.integer("globalStep"))}};
  });
  method("configureOptimizers", [this](const Value& args) -> Value {
    training_.configure(optimizerGroups(args.number("learningRate")), hasHalfFirstMoment(args));
    return {};
  });
  method("trainBatch", [this](const Value& args) -> Value { return trainBatch(args); });
  method("onTrainBatchEnd", [this](const Value&) -> Value {
    onTrainBatchEnd();
    return {};
  });
  method("validateBatch", [this](const Value& args) -> Value {
    at::NoGradGuard guard;
    return Map{{"log", readScalars(validationStep(args.get("batch"), args.integer("globalStep")))}};
  });
  method("setLearningRates", [this](const Value& args) -> Value {
    training_.setLearningRates(args.numbers("rates"));
    return {};
  });
  method("optimizerStates", [this](const Value&) -> Value { return training_.states(); });
  method("loadOptimizerStates", [this](const Value& args) -> Value {
    training_.loadStates(args);
    return {};
  });
  method("stepperState", [this](const Value&) -> Value { return training_.stepper().state(); });
  method("loadStepperState", [this](const Value& args) -> Value {
    training_.stepper().loadState(args);
    return {};
  });
  method("logImages", [this](const Value& args) -> Value {
    at::NoGradGuard guard;
    return logImages(args.get("batch"), args);
  });
}

LossResult TrainableAutoencoder::takeTurn(const Value& args, int64_t optimizerIdx, const Shortcuts& shortcuts) {
  const TrainingScope training;
  return trainingStep(args.get("batch"), optimizerIdx, args.integer("globalStep"), shortcuts);
}

Value TrainableAutoencoder::trainBatch(const Value& args) {
  const auto asked = [&](const char* name) { return args.has(name) && args.boolean(name); };
  const bool idle = asked("skipIdle") && ganLoss().discriminatorIsIdle(args.integer("globalStep"));
  const Shortcuts shortcuts{.idle = idle, .reuse = asked("reuseReconstructions") && !idle};
  Value log =
      training_.trainBatch(args, *this, [&](int64_t optimizerIdx) { return takeTurn(args, optimizerIdx, shortcuts); });
  kept_.reset();
  onTrainBatchEnd();
  return log;
}

GanLoss& TrainableAutoencoder::ganLoss() const {
  auto* loss = dynamic_cast<GanLoss*>(loss_.get());
  if (!loss)
    invalid(
        "This model was built without a training loss (its lossconfig is torch.nn.Identity or DummyLoss): it can "
        "encode "
        "and decode but neither train nor validate");
  return *loss;
}

std::vector<at::Tensor> joinParameters(const std::vector<const Module*>& modules) {
  std::vector<at::Tensor> all;
  for (const Module* module : modules)
    for (const auto& p : module->parameters()) all.push_back(p);
  return all;
}

}  // namespace ldm
