// A codebook without gradients: every code is the moving average of the latents that were nearest to it (van den Oord
// et al., "Neural Discrete Representation Learning", 2017, appendix A.1). Reference: EMAVectorQuantizer and
// EmbeddingEMA of taming/modules/vqvae/quantize.py.
//
// Departures: the reference's constructor fails (it reads names that do not exist); its arguments are taken for what
// they are called. `remap`, which it reads and forgets, reduces the indices as in VectorQuantizer2.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "quantizer.h"

namespace ldm {

/// EMAVectorQuantizer.
///
/// Params: n_embed codes of embedding_dim numbers; beta, the weight of the commitment term, which is the loss; decay
/// and eps of the averages; remap with unknown_index. Indices are [b*h*w], [b*h*w, 1] when remapped. Every quantization
/// in training mode updates the codebook. Children: `embedding` with weight, cluster_size, embed_avg.
class EMAVectorQuantizer : public Quantizer {
 public:
  explicit EMAVectorQuantizer(const Value& params);
  Quantized quantize(const at::Tensor& z) override;

 protected:
  at::Tensor embed(const at::Tensor& indices) override;

 private:
  class EmbeddingEMA;

  double beta_;
  std::shared_ptr<EmbeddingEMA> embedding_;
};

}  // namespace ldm
