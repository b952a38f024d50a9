#include "vector_quantizer.h"

#include <ATen/ATen.h>

#include "../core/random.h"
#include "../core/registry.h"

namespace ldm {

VectorQuantizer2::VectorQuantizer2(const Value& params)
    : nE_(params.integer("n_e")),
      eDim_(params.integer("e_dim")),
      beta_(params.number("beta")),
      legacy_(params.boolean("legacy")),
      saneIndexShape_(params.boolean("sane_index_shape")),
      reEmbed_(nE_) {
  embedding_ = child("embedding", std::make_shared<Embedding>(nE_, eDim_));
  initUniform(embedding_->weight, -1.0 / static_cast<double>(nE_), 1.0 / static_cast<double>(nE_));
  if (params.has("remap")) {
    used_ = buffer("used", params.tensor("remap").to(at::kLong).clone());
    reEmbed_ = used_.size(0);
    const Value& unknown = params.get("unknown_index");
    if (unknown.isInteger()) {
      unknownIndex_ = unknown.asInteger();
    } else if (unknown.asString("unknown_index") == "random") {
      randomUnknown_ = true;
    } else if (unknown.asString() == "extra") {
      unknownIndex_ = reEmbed_++;
    } else {
      invalid("Expected 'random', 'extra' or an integer for unknown_index but received " + unknown.describe());
    }
  }
  method("quantize", [this](const Value& args) -> Value {
    Quantized q = quantize(args.tensor("z"));
    return Map{{"quant", q.quant}, {"loss", q.loss}, {"indices", q.indices}};
  });
  method("codebookEntry", [this](const Value& args) -> Value {
    return Map{{"quant", codebookEntry(args.tensor("indices"))}};
  });
  method("remapToUsed", [this](const Value& args) -> Value {
    return Map{{"indices", remapToUsed(args.tensor("indices"))}};
  });
  method("unmapToAll", [this](const Value& args) -> Value {
    return Map{{"indices", unmapToAll(args.tensor("indices"))}};
  });
}

Quantized VectorQuantizer2::quantize(const at::Tensor& input) {
  poll();
  if (input.dim() != 4 || input.size(1) != eDim_)
    invalid("The codebook holds vectors of " + std::to_string(eDim_) + " numbers, but the latent is " +
            Value(input).describe());
  const at::Tensor& codes = embedding_->weight;
  at::Tensor z = input.permute({0, 2, 3, 1}).contiguous();
  at::Tensor flat = z.view({-1, eDim_});
  // |z - e|^2 = |z|^2 + |e|^2 - 2 z.e; argmin takes the first of equal distances
  at::Tensor distance = flat.pow(2).sum(1, true) + codes.pow(2).sum(1) - 2 * at::matmul(flat, codes.t());
  at::Tensor indices = distance.argmin(1);
  at::Tensor nearest = embedding_->forward(indices).view(z.sizes());

  at::Tensor commitment = (nearest.detach() - z).pow(2).mean();
  at::Tensor codebook = (nearest - z.detach()).pow(2).mean();
  Quantized out;
  out.loss = legacy_ ? commitment + beta_ * codebook : beta_ * commitment + codebook;
  out.quant = (z + (nearest - z).detach()).permute({0, 3, 1, 2}).contiguous();
  if (used_.defined()) indices = remapToUsed(indices.reshape({z.size(0), -1})).reshape({-1, 1});
  if (saneIndexShape_) indices = indices.reshape({z.size(0), z.size(1), z.size(2)});
  out.indices = indices;
  return out;
}

at::Tensor VectorQuantizer2::codebookEntry(const at::Tensor& indices) {
  if (indices.dim() != 3)
    invalid("Expected code indices of shape [batch, height, width] but received " + Value(indices).describe());
  at::Tensor all = used_.defined() ? unmapToAll(indices) : indices;
  return embedding_->forward(all).permute({0, 3, 1, 2}).contiguous();
}

at::Tensor VectorQuantizer2::remapToUsed(const at::Tensor& indices) const {
  at::Tensor flat = indices.reshape({indices.size(0), -1});
  at::Tensor match = flat.unsqueeze(-1) == used_;  // [b, n, used]
  at::Tensor remapped = match.to(at::kLong).argmax(-1);
  at::Tensor unknown = match.any(-1).logical_not();
  if (randomUnknown_) {
    int64_t count = unknown.sum().item<int64_t>();
    remapped.index_put_({unknown}, randint(0, reEmbed_, {count}, remapped.options()));
  } else {
    remapped.masked_fill_(unknown, unknownIndex_);
  }
  return remapped.reshape(indices.sizes());
}

at::Tensor VectorQuantizer2::unmapToAll(const at::Tensor& indices) const {
  at::Tensor known = indices.masked_fill(indices >= used_.size(0), 0);
  return used_.index({known});
}

REGISTER("taming.modules.vqvae.quantize.VectorQuantizer2", VectorQuantizer2);

}  // namespace ldm
