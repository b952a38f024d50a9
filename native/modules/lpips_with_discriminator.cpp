#include "lpips_with_discriminator.h"

#include <ATen/ATen.h>

#include "../core/registry.h"

namespace ldm {

namespace {

constexpr int64_t kDiscriminatorWidth = 64;

at::Tensor perSample(const at::Tensor& t) { return t.sum() / t.size(0); }

}  // namespace

LPIPSWithDiscriminator::LPIPSWithDiscriminator(const Value& params)
    : GanLoss(params, kDiscriminatorWidth), klWeight_(params.number("kl_weight")) {
  logvar_ = parameter("logvar", at::scalar_tensor(params.number("logvar_init"), at::kFloat));
  method("forward", [this](const Value& args) -> Value {
    const GanInputs in = GanInputs::from(args);
    LossResult r =
        args.integer("optimizerIdx") == 0
            ? autoencoderTurn(in, *args.object<DiagonalGaussianDistribution>("posterior"), args.optTensor("weights"))
            : discriminatorTurn(in);
    return Map{{"loss", r.loss}, {"log", r.log}};
  });
}

LossResult LPIPSWithDiscriminator::autoencoderTurn(const GanInputs& in, const DiagonalGaussianDistribution& posterior,
                                                   const at::Tensor& weights) {
  at::Tensor rec = reconstruction(in).loss;
  at::Tensor nllMap = rec / logvar_.exp() + logvar_;
  at::Tensor nll = perSample(nllMap);
  at::Tensor weightedNll = weights.defined() ? perSample(weights * nllMap) : nll;
  at::Tensor kl = perSample(posterior.kl());
  GeneratorTerm term = generatorTerm(in, nll, /*adaptive=*/discFactor_ > 0);
  at::Tensor loss = term.addTo(weightedNll + klWeight_ * kl);
  const std::string& s = in.split;
  Map log{{s + "/total_loss", loss.detach()},
          {s + "/logvar", logvar_.detach().clone()},
          {s + "/kl_loss", kl.detach()},
          {s + "/nll_loss", nll.detach()},
          {s + "/rec_loss", rec.detach().mean()}};
  term.addTo(log, s);
  return {loss, log};
}

REGISTER("ldm.modules.losses.LPIPSWithDiscriminator", LPIPSWithDiscriminator);
REGISTER("ldm.modules.losses.contperceptual.LPIPSWithDiscriminator", LPIPSWithDiscriminator);

}  // namespace ldm
