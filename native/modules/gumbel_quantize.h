// A codebook whose codes are drawn: the latent gives logits over the codes, the Gumbel-softmax trick makes the draw
// differentiable (Jang et al., "Categorical Reparameterization with Gumbel-Softmax", 2016). Reference: GumbelQuantize
// of taming/modules/vqvae/quantize.py.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "quantizer.h"

namespace ldm {

/// GumbelQuantize.
///
/// Params: num_hiddens channels of the input; n_embed codes of embedding_dim numbers; straight_through (one-hot draws
/// in training mode; in evaluation mode they always are); kl_weight of the divergence from the uniform prior, which is
/// the loss; temp_init; remap with unknown_index: only the codes in use are drawn. Indices are [b, h, w].
///
/// Departure: `use_vqinterface: false`, which gives bare indices in Python, changes nothing here.
class GumbelQuantize : public Quantizer {
 public:
  explicit GumbelQuantize(const Value& params);
  Quantized quantize(const at::Tensor& z) override;
  /// Temperature of the softmax; falls during training.
  void setTemperature(double temperature) { temperature_ = temperature; }
  double temperature() const { return temperature_; }

 protected:
  at::Tensor embed(const at::Tensor& indices) override { return embedding_->forward(indices); }

 private:
  bool straightThrough_;
  double klWeight_, temperature_;
  std::shared_ptr<Conv> proj_;
  std::shared_ptr<Embedding> embedding_;
};

}  // namespace ldm
