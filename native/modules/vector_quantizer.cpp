#include "vector_quantizer.h"

#include <ATen/ATen.h>

#include "../core/full_precision.h"
#include "../core/random.h"
#include "../core/registry.h"

namespace ldm {

namespace {

std::shared_ptr<Embedding> uniformEmbedding(int64_t codes, int64_t dim) {
  auto embedding = std::make_shared<Embedding>(codes, dim);
  initUniform(embedding->weight, -1.0 / static_cast<double>(codes), 1.0 / static_cast<double>(codes));
  return embedding;
}

/// `legacy`: beta weighs the codebook term instead of the commitment term.
at::Tensor codebookLoss(const at::Tensor& z, const at::Tensor& nearest, double beta, bool legacy) {
  at::Tensor commitment = (nearest.detach() - z).pow(2).mean();
  at::Tensor codebook = (nearest - z.detach()).pow(2).mean();
  return legacy ? commitment + beta * codebook : beta * commitment + codebook;
}

}  // namespace

VectorQuantizer::VectorQuantizer(const Value& params)
    : Quantizer(params.integer("n_e"), params.integer("e_dim")), beta_(params.number("beta")) {
  embedding_ = child("embedding", uniformEmbedding(codes_, dim_));
}

Quantized VectorQuantizer::quantize(const at::Tensor& input) {
  poll();
  FullPrecision precise;
  const at::Tensor& codes = embedding_->weight;
  at::Tensor z = channelsLast(input);
  at::Tensor flat = z.view({-1, dim_});
  Quantized out;
  out.indices = nearest(flat, codes, /*batched=*/false).unsqueeze(1);
  out.encodings = at::zeros({flat.size(0), codes_}, flat.options()).scatter_(1, out.indices, 1);
  at::Tensor chosen = at::matmul(out.encodings, codes).view(z.sizes());
  out.loss = codebookLoss(z, chosen, beta_, /*legacy=*/true);
  out.quant = channelsFirst(straightThrough(z, chosen));
  out.perplexity = perplexityOf(out.encodings.mean(0));
  return out;
}

VectorQuantizer2::VectorQuantizer2(const Value& params)
    : Quantizer(params.integer("n_e"), params.integer("e_dim")),
      beta_(params.number("beta")),
      legacy_(params.boolean("legacy")),
      saneIndexShape_(params.boolean("sane_index_shape")) {
  embedding_ = child("embedding", uniformEmbedding(codes_, dim_));
  addRemap(params);
}

Quantized VectorQuantizer2::quantize(const at::Tensor& input) {
  poll();
  FullPrecision precise;
  at::Tensor z = channelsLast(input);
  at::Tensor indices = nearest(z.view({-1, dim_}), embedding_->weight, /*batched=*/true);
  at::Tensor chosen = embedding_->forward(indices).view(z.sizes());
  Quantized out;
  out.loss = codebookLoss(z, chosen, beta_, legacy_);
  out.quant = channelsFirst(straightThrough(z, chosen));
  if (remapped()) indices = remapToUsed(indices.reshape({z.size(0), -1})).reshape({-1, 1});
  if (saneIndexShape_) indices = indices.reshape({z.size(0), z.size(1), z.size(2)});
  out.indices = indices;
  return out;
}

REGISTER("taming.modules.vqvae.quantize.VectorQuantizer", VectorQuantizer);
REGISTER("taming.modules.vqvae.quantize.VectorQuantizer2", VectorQuantizer2);

}  // namespace ldm
