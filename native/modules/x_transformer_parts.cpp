#include "x_transformer_parts.h"

#include <ATen/ATen.h>

#include <cmath>

#include "../core/random.h"

namespace ldm {

AbsolutePositionalEmbedding::AbsolutePositionalEmbedding(int64_t dim, int64_t maxSeqLen) : maxSeqLen_(maxSeqLen) {
  emb_ = child("emb", std::make_shared<Embedding>(maxSeqLen, dim));
  initNormal(emb_->weight, 0, 0.02);
}

at::Tensor AbsolutePositionalEmbedding::forward(const at::Tensor& x) {
  const int64_t n = x.size(1);
  if (n > maxSeqLen_)
    invalid("The sequence has " + std::to_string(n) + " tokens, but the model has positions for " +
            std::to_string(maxSeqLen_) + " (max_seq_len)");
  return emb_->weight.slice(0, 0, n).unsqueeze(0);
}

FixedPositionalEmbedding::FixedPositionalEmbedding(int64_t dim) {
  const at::Tensor exponents = at::arange(0, dim, 2).to(at::kFloat) / dim;
  inverseFrequencies_ = buffer("inv_freq", at::pow(10000, exponents).reciprocal());
}

at::Tensor FixedPositionalEmbedding::forward(const at::Tensor& x, int64_t offset) const {
  const at::Tensor positions = at::arange(x.size(1), inverseFrequencies_.options()) + offset;
  const at::Tensor angles = positions.unsqueeze(1) * inverseFrequencies_.unsqueeze(0);
  return at::cat({angles.sin(), angles.cos()}, -1).unsqueeze(0);
}

RootMeanSquareNorm::RootMeanSquareNorm(int64_t dim, int64_t gains, double eps)
    : scale_(std::pow(static_cast<double>(dim), -0.5)), eps_(eps) {
  g_ = parameter("g", at::ones({gains}));
}

at::Tensor RootMeanSquareNorm::forward(const at::Tensor& x) {
  const at::Tensor size = at::norm(x, 2, {-1}, /*keepdim=*/true) * scale_;
  return x / size.clamp_min(eps_) * g_;
}

at::Tensor Residual::forward(const at::Tensor& x, const at::Tensor& residual) { return x + residual; }

at::Tensor Scale::forward(const at::Tensor& x) { return fn_->forward(x) * value_; }

GRUGating::Cell::Cell(int64_t dim) {
  weightIh = parameter("weight_ih", at::empty({3 * dim, dim}));
  weightHh = parameter("weight_hh", at::empty({3 * dim, dim}));
  biasIh = parameter("bias_ih", at::empty({3 * dim}));
  biasHh = parameter("bias_hh", at::empty({3 * dim}));
  const double bound = 1 / std::sqrt(static_cast<double>(dim));
  for (auto& t : {weightIh, weightHh, biasIh, biasHh}) initUniform(t, -bound, bound);
}

GRUGating::GRUGating(int64_t dim) { gru_ = child("gru", std::make_shared<Cell>(dim)); }

at::Tensor GRUGating::forward(const at::Tensor& x, const at::Tensor& residual) {
  const at::Tensor gated =
      at::gru_cell(x.flatten(0, 1), residual.flatten(0, 1), gru_->weightIh, gru_->weightHh, gru_->biasIh, gru_->biasHh);
  return gated.reshape_as(x);
}

}  // namespace ldm
