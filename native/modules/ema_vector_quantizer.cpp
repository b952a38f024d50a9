#include "ema_vector_quantizer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "../core/full_precision.h"
#include "../core/random.h"
#include "../core/registry.h"

namespace ldm {

/// The codes and the running sums behind them; parameters without gradients.
class EMAVectorQuantizer::EmbeddingEMA : public Module {
 public:
  EmbeddingEMA(int64_t codes, int64_t dim, double decay, double eps) : decay_(decay), eps_(eps) {
    weight = parameter("weight", randn({codes, dim}, at::kFloat), /*requiresGrad=*/false);
    clusterSize_ = parameter("cluster_size", at::zeros({codes}), /*requiresGrad=*/false);
    sums_ = parameter("embed_avg", weight.clone(), /*requiresGrad=*/false);
  }

  /// `encodings` [n, codes] are one-hot rows for the latents `flat` [n, dim].
  void update(const at::Tensor& encodings, const at::Tensor& flat) {
    at::NoGradGuard noGrad;
    clusterSize_.mul_(decay_).add_(encodings.sum(0), 1 - decay_);
    sums_.mul_(decay_).add_(at::matmul(encodings.t(), flat), 1 - decay_);
    at::Tensor total = clusterSize_.sum();
    // Laplace smoothing: a code that nothing is near to keeps a size above zero.
    at::Tensor smoothed = (clusterSize_ + eps_) / (total + static_cast<double>(clusterSize_.size(0)) * eps_) * total;
    weight.copy_(sums_ / smoothed.unsqueeze(1));
  }

  at::Tensor weight;

 private:
  double decay_, eps_;
  at::Tensor clusterSize_, sums_;
};

EMAVectorQuantizer::EMAVectorQuantizer(const Value& params)
    : Quantizer(params.integer("n_embed"), params.integer("embedding_dim")), beta_(params.number("beta")) {
  embedding_ =
      child("embedding", std::make_shared<EmbeddingEMA>(codes_, dim_, params.number("decay"), params.number("eps")));
  addRemap(params);
}

at::Tensor EMAVectorQuantizer::embed(const at::Tensor& indices) { return at::embedding(embedding_->weight, indices); }

Quantized EMAVectorQuantizer::quantize(const at::Tensor& input) {
  poll();
  FullPrecision precise;
  at::Tensor z = channelsLast(input);
  at::Tensor flat = z.view({-1, dim_});
  at::Tensor indices = nearest(flat, embedding_->weight, /*batched=*/true);
  at::Tensor chosen = embed(indices).view(z.sizes());
  Quantized out;
  out.encodings = at::one_hot(indices, codes_).to(flat.scalar_type());
  out.perplexity = perplexityOf(out.encodings.mean(0));
  if (training()) embedding_->update(out.encodings, flat.detach());
  out.loss = beta_ * at::mse_loss(chosen.detach(), z);
  out.quant = channelsFirst(straightThrough(z, chosen));
  out.indices = remapped() ? remapToUsed(indices.reshape({z.size(0), -1})).reshape({-1, 1}) : indices;
  return out;
}

REGISTER("taming.modules.vqvae.quantize.EMAVectorQuantizer", EMAVectorQuantizer);

}  // namespace ldm
