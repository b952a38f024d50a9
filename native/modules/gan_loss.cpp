#include "gan_loss.h"

#include <ATen/ATen.h>

#include "../core/autograd.h"

namespace ldm {

at::Tensor hingeDiscriminatorLoss(const at::Tensor& real, const at::Tensor& fake) {
  return 0.5 * (at::relu(1.0 - real).mean() + at::relu(1.0 + fake).mean());
}

at::Tensor vanillaDiscriminatorLoss(const at::Tensor& real, const at::Tensor& fake) {
  return 0.5 * (at::softplus(-real).mean() + at::softplus(fake).mean());
}

GanInputs GanInputs::from(const Value& args) {
  return {.inputs = args.tensor("inputs"),
          .reconstructions = args.tensor("reconstructions"),
          .cond = args.optTensor("cond"),
          .lastLayer = args.optTensor("lastLayer"),
          .globalStep = args.integer("globalStep"),
          .split = args.string("split")};
}

GanLoss::GanLoss(const Value& params, int64_t ndf)
    : discFactor_(params.number("disc_factor")),
      perceptualWeight_(params.number("perceptual_weight")),
      discStart_(params.integer("disc_start")),
      discWeight_(params.number("disc_weight")),
      discConditional_(params.boolean("disc_conditional")) {
  const std::string& kind = params.string("disc_loss");
  if (kind != "hinge" && kind != "vanilla")
    invalid("Expected 'hinge' or 'vanilla' for disc_loss but received '" + kind + "'");
  hinge_ = kind == "hinge";
  perceptual_ = child("perceptual_loss", std::make_shared<LPIPS>());
  perceptual_->train(false);
  discriminator_ =
      child("discriminator",
            std::make_shared<NLayerDiscriminator>(DiscriminatorOptions{.inputNc = params.integer("disc_in_channels"),
                                                                       .ndf = ndf,
                                                                       .nLayers = params.integer("disc_num_layers"),
                                                                       .useActnorm = params.boolean("use_actnorm")}));
  discriminator_->initWeights();
  method("perceptualReady", [this](const Value&) -> Value { return Map{{"ready", perceptualReady()}}; });
}

at::Tensor GanLoss::pixelLoss(const at::Tensor& inputs, const at::Tensor& reconstructions) {
  return at::abs(inputs - reconstructions);
}

GanLoss::Reconstruction GanLoss::reconstruction(const GanInputs& in) {
  at::Tensor pixels = pixelLoss(in.inputs, in.reconstructions);
  if (perceptualWeight_ <= 0) return {pixels, {}};
  at::Tensor perceptual = perceptual_->forward(in.inputs, in.reconstructions);
  return {pixels + perceptualWeight_ * perceptual, perceptual};
}

at::Tensor GanLoss::logits(const at::Tensor& images, const at::Tensor& cond) {
  if (discConditional_ != cond.defined())
    invalid(discConditional_ ? "This loss has disc_conditional: pass the condition as cond"
                             : "A condition was given but the loss does not have disc_conditional");
  return discriminator_->forward(cond.defined() ? at::cat({images, cond}, 1) : images.contiguous());
}

at::Tensor GanLoss::adaptiveWeight(const at::Tensor& nll, const at::Tensor& gLoss, const at::Tensor& lastLayer) {
  if (!nll.requires_grad() || !gLoss.requires_grad()) {
    if (training())
      invalid("The adaptive weight of the discriminator needs gradients in training mode; call eval() to validate");
    return at::zeros({}, nll.options().requires_grad(false));
  }
  if (!lastLayer.defined()) invalid("The adaptive weight of the discriminator needs the decoder's last layer");
  at::Tensor nllGrad = gradients({nll}, {lastLayer}, {}, /*retainGraph=*/true)[0];
  at::Tensor gGrad = gradients({gLoss}, {lastLayer}, {}, /*retainGraph=*/true)[0];
  at::Tensor weight = at::norm(nllGrad) / (at::norm(gGrad) + 1e-4);
  return weight.clamp(0.0, 1e4).detach() * discWeight_;
}

GanLoss::GeneratorTerm GanLoss::generatorTerm(const GanInputs& in, const at::Tensor& nll, bool adaptive) {
  GeneratorTerm term;
  term.discFactor = adopted(in.globalStep);
  if (in.skipDiscriminator) return term;
  term.gLoss = -logits(in.reconstructions, in.cond).mean();
  term.dWeight =
      adaptive ? adaptiveWeight(nll, term.gLoss, in.lastLayer) : at::zeros({}, nll.options().requires_grad(false));
  return term;
}

at::Tensor GanLoss::GeneratorTerm::addTo(const at::Tensor& loss) const {
  return gLoss.defined() ? loss + dWeight * discFactor * gLoss : loss;
}

void GanLoss::GeneratorTerm::addTo(Map& log, const std::string& split) const {
  if (dWeight.defined()) log.set(split + "/d_weight", dWeight);
  log.set(split + "/disc_factor", at::scalar_tensor(discFactor, at::kFloat));
  if (gLoss.defined()) log.set(split + "/g_loss", gLoss.detach());
}

bool GanLoss::discriminatorIsIdle(int64_t globalStep) const {
  return adopted(globalStep) == 0 && discriminator_->initialized();
}

LossResult GanLoss::idleDiscriminatorTurn(const at::Tensor& inputs, const std::string& split) {
  if (perceptualWeight_ > 0) perceptual_->skip(inputs);
  return {{}, {{split + "/disc_loss", at::zeros({}, at::kFloat)}}};
}

LossResult GanLoss::discriminatorTurn(const GanInputs& in) {
  if (perceptualWeight_ > 0) perceptual_->skip(in.inputs);
  at::Tensor real = logits(in.inputs.detach(), in.cond);
  at::Tensor fake = logits(in.reconstructions.detach(), in.cond);
  at::Tensor raw = hinge_ ? hingeDiscriminatorLoss(real, fake) : vanillaDiscriminatorLoss(real, fake);
  at::Tensor loss = adopted(in.globalStep) * raw;
  return {loss,
          {{in.split + "/disc_loss", loss.detach()},
           {in.split + "/logits_real", real.detach().mean()},
           {in.split + "/logits_fake", fake.detach().mean()}}};
}

}  // namespace ldm
