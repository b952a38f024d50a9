#include "gumbel_quantize.h"

#include <ATen/ATen.h>

#include "../core/full_precision.h"
#include "../core/random.h"
#include "../core/registry.h"

namespace ldm {

namespace {

/// torch.nn.functional.gumbel_softmax over the channels.
at::Tensor gumbelSoftmax(const at::Tensor& logits, double temperature, bool hard) {
  at::Tensor gumbel = -exponential(logits.sizes(), logits.options().requires_grad(false)).log();
  at::Tensor soft = ((logits + gumbel) / temperature).softmax(1);
  if (!hard) return soft;
  at::Tensor best = soft.argmax(1, /*keepdim=*/true);
  return at::zeros_like(soft).scatter_(1, best, 1.0) - soft.detach() + soft;
}

}  // namespace

GumbelQuantize::GumbelQuantize(const Value& params)
    : Quantizer(params.integer("n_embed"), params.integer("embedding_dim")),
      straightThrough_(params.boolean("straight_through")),
      klWeight_(params.number("kl_weight")),
      temperature_(params.number("temp_init")) {
  proj_ = child("proj", std::make_shared<Conv>(params.integer("num_hiddens"), codes_, 1));
  embedding_ = child("embed", std::make_shared<Embedding>(codes_, dim_));
  addRemap(params);
  method("setTemperature", [this](const Value& args) -> Value {
    setTemperature(args.number("temperature"));
    return {};
  });
}

Quantized GumbelQuantize::quantize(const at::Tensor& z) {
  poll();
  FullPrecision precise;
  Quantized out;
  at::Tensor all = proj_->forward(z);
  out.logits = remapped() ? all.index_select(1, usedCodes()) : all;
  at::Tensor choice = gumbelSoftmax(out.logits, temperature_, training() ? straightThrough_ : true);
  if (remapped()) choice = at::zeros_like(all).index_copy(1, usedCodes(), choice);
  out.quant = at::einsum("bnhw,nd->bdhw", {choice, embedding_->weight});
  at::Tensor qy = out.logits.softmax(1);
  out.loss = klWeight_ * (qy * (qy * static_cast<double>(codes_) + 1e-10).log()).sum(1).mean();
  at::Tensor indices = choice.argmax(1);
  out.indices = remapped() ? remapToUsed(indices) : indices;
  return out;
}

REGISTER("taming.modules.vqvae.quantize.GumbelQuantize", GumbelQuantize);

}  // namespace ldm
