#include "vq_lpips_with_discriminator.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "../core/registry.h"
#include "quantizer.h"

namespace ldm {

VQLPIPSWithDiscriminator::VQLPIPSWithDiscriminator(const Value& params)
    : GanLoss(params, params.integer("disc_ndf")),
      codebookWeight_(params.number("codebook_weight")),
      squared_(params.has("pixel_loss") && params.string("pixel_loss") == "l2") {
  if (params.has("n_classes")) classes_ = params.integer("n_classes");
  method("forward", [this](const Value& args) -> Value {
    const GanInputs in = GanInputs::from(args);
    LossResult r = args.integer("optimizerIdx") == 0
                       ? autoencoderTurn(in, args.optTensor("codebookLoss"), args.optTensor("predictedIndices"))
                       : discriminatorTurn(in);
    return Map{{"loss", r.loss}, {"log", r.log}};
  });
}

at::Tensor VQLPIPSWithDiscriminator::pixelLoss(const at::Tensor& inputs, const at::Tensor& reconstructions) {
  return squared_ ? (inputs - reconstructions).pow(2) : GanLoss::pixelLoss(inputs, reconstructions);
}

LossResult VQLPIPSWithDiscriminator::autoencoderTurn(const GanInputs& in, const at::Tensor& codebookLoss,
                                                     const at::Tensor& indices) {
  auto [rec, perceptual] = reconstruction(in);
  at::Tensor nll = rec.mean();
  GeneratorTerm term = generatorTerm(in, nll, /*adaptive=*/true);
  at::Tensor zero = at::zeros({}, nll.options().requires_grad(false));
  at::Tensor codebook = codebookLoss.defined() ? codebookLoss.mean() : zero;
  at::Tensor loss = term.addTo(nll) + codebookWeight_ * codebook;
  const std::string& s = in.split;
  Map log{{s + "/total_loss", loss.detach()},
          {s + "/quant_loss", codebook.detach()},
          {s + "/nll_loss", nll.detach()},
          {s + "/rec_loss", rec.detach().mean()},
          {s + "/p_loss", perceptual.defined() ? perceptual.detach().mean() : zero}};
  term.addTo(log, s);
  if (indices.defined() && classes_ > 0) logUsage(indices, s, log);
  return {loss, log};
}

void VQLPIPSWithDiscriminator::logUsage(const at::Tensor& indices, const std::string& split, Map& log) const {
  at::NoGradGuard noGrad;
  // Indices beyond n_classes are counted in one place more.
  const at::Tensor flat = indices.flatten().clamp_max(classes_);
  const at::Tensor ones = at::ones_like(flat, flat.options().dtype(at::kFloat));
  const at::Tensor counts = at::zeros({classes_ + 1}, ones.options()).scatter_add_(0, flat, ones);
  const at::Tensor beyond = counts[classes_] > 0;
  if (beyond.device().is_cpu() && beyond.item<bool>())
    invalid("The loss's n_classes is " + std::to_string(classes_) + ", but the codebook gave the index " +
            std::to_string(indices.max().item<int64_t>()) + ". Set n_classes to the model's n_embed");
  const at::Tensor frequencies = counts.slice(0, 0, classes_) / static_cast<double>(indices.numel());
  // A GPU is not waited for: there the mistake shows as a perplexity that is not a number.
  log.set(split + "/perplexity", perplexityOf(frequencies).masked_fill(beyond, std::nan("")));
  log.set(split + "/cluster_usage", (frequencies > 0).sum());
}

REGISTER("taming.modules.losses.vqperceptual.VQLPIPSWithDiscriminator", VQLPIPSWithDiscriminator);
REGISTER("ldm.modules.losses.vqperceptual.VQLPIPSWithDiscriminator", VQLPIPSWithDiscriminator);

}  // namespace ldm
