// The codebook of the VQ first stages: every latent vector is replaced by its nearest code, with gradients passed
// straight through (van den Oord et al., "Neural Discrete Representation Learning", 2017).
// Reference: VectorQuantizer2 of taming/modules/vqvae/quantize.py.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "layers.h"

namespace ldm {

/// What quantization gives.
struct Quantized {
  at::Tensor quant;    ///< [b, c, h, w]; its gradient goes to the input unchanged
  at::Tensor loss;     ///< scalar: commitment and codebook terms
  at::Tensor indices;  ///< int64: [b*h*w], [b*h*w, 1] when remapped, [b, h, w] with sane_index_shape
};

/// VectorQuantizer2.
///
/// Params: n_e codes of e_dim numbers; beta; legacy (true: beta weighs the codebook term, as all published models were
/// trained; false: the commitment term, as in the paper); remap (null, or the int64 tensor of the codes that a reduced
/// codebook keeps) with unknown_index ("random", "extra" or an index) for all others; sane_index_shape.
class VectorQuantizer2 : public Module {
 public:
  explicit VectorQuantizer2(const Value& params);

  Quantized quantize(const at::Tensor& z);
  /// Embeddings of indices (of the reduced codebook when remapped) of shape [b, h, w] as [b, c, h, w].
  at::Tensor codebookEntry(const at::Tensor& indices);

  /// Indices of the whole codebook, [b, ...], to those of the reduced one.
  at::Tensor remapToUsed(const at::Tensor& indices) const;
  /// And back; the extra index means the first code.
  at::Tensor unmapToAll(const at::Tensor& indices) const;

 private:
  int64_t nE_, eDim_;
  double beta_;
  bool legacy_, saneIndexShape_;
  bool randomUnknown_ = false;
  int64_t unknownIndex_ = 0;  ///< unless randomUnknown_
  int64_t reEmbed_;           ///< number of indices that can occur in the output
  at::Tensor used_;           ///< undefined without remap
  std::shared_ptr<Embedding> embedding_;
};

}  // namespace ldm
