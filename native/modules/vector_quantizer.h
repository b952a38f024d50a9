// The codebook of the VQ first stages: every latent vector is replaced by its nearest code, with gradients passed
// straight through (van den Oord et al., "Neural Discrete Representation Learning", 2017).
// Reference: VectorQuantizer and VectorQuantizer2 of taming/modules/vqvae/quantize.py.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "quantizer.h"

namespace ldm {

/// VectorQuantizer, the first version: codes are picked by a product with one-hot rows, which are part of the result.
///
/// Params: n_e codes of e_dim numbers; beta, the weight of the codebook term. Indices are [b*h*w, 1].
class VectorQuantizer : public Quantizer {
 public:
  explicit VectorQuantizer(const Value& params);
  Quantized quantize(const at::Tensor& z) override;
  bool isPure() const override { return !remapDraws(); }

 protected:
  at::Tensor embed(const at::Tensor& indices) override { return embedding_->forward(indices); }

 private:
  double beta_;
  std::shared_ptr<Embedding> embedding_;
};

/// VectorQuantizer2.
///
/// Params: n_e codes of e_dim numbers; beta; legacy (true: beta weighs the codebook term, as all published models were
/// trained; false: the commitment term, as in the paper); remap with unknown_index (see Quantizer); sane_index_shape.
/// Indices are [b*h*w], [b*h*w, 1] when remapped, [b, h, w] with sane_index_shape.
class VectorQuantizer2 : public Quantizer {
 public:
  explicit VectorQuantizer2(const Value& params);
  Quantized quantize(const at::Tensor& z) override;
  bool isPure() const override { return !remapDraws(); }

 protected:
  at::Tensor embed(const at::Tensor& indices) override { return embedding_->forward(indices); }

 private:
  double beta_;
  bool legacy_, saneIndexShape_;
  std::shared_ptr<Embedding> embedding_;
};

}  // namespace ldm
