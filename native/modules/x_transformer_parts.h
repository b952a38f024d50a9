// Small parts of the x-transformers encoder: ldm.modules.x_transformer (after Phil Wang's x-transformers).
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "layers.h"

namespace ldm {

/// One learned vector per position, normal(0, 0.02).
class AbsolutePositionalEmbedding : public Module {
 public:
  AbsolutePositionalEmbedding(int64_t dim, int64_t maxSeqLen);
  /// @param x [b, n, ...], n at most max_seq_len
  /// @return [1, n, dim]
  at::Tensor forward(const at::Tensor& x);

 private:
  int64_t maxSeqLen_;
  std::shared_ptr<Embedding> emb_;
};

/// Sines, then cosines, of the position at geometrically spaced frequencies (Vaswani et al. 2017).
class FixedPositionalEmbedding : public Module {
 public:
  explicit FixedPositionalEmbedding(int64_t dim);
  /// @param x [b, n, ...]
  /// @param offset position of x's first token
  /// @return [1, n, dim]
  at::Tensor forward(const at::Tensor& x, int64_t offset) const;

 private:
  at::Tensor inverseFrequencies_;
};

/// x / max(|x| / sqrt(dim), eps) * g: with one g for all channels ScaleNorm (Nguyen & Salazar 2019, eps 1e-5), with one
/// each RMSNorm (Zhang & Sennrich 2019, eps 1e-8).
class RootMeanSquareNorm : public Layer {
 public:
  RootMeanSquareNorm(int64_t dim, int64_t gains, double eps);
  at::Tensor forward(const at::Tensor& x) override;

 private:
  double scale_, eps_;
  at::Tensor g_;
};

/// How a layer's output joins its input: a sum.
class Residual : public Module {
 public:
  virtual at::Tensor forward(const at::Tensor& x, const at::Tensor& residual);
};

/// The output gates the input through a GRU cell (Parisotto et al. 2019).
class GRUGating : public Residual {
 public:
  explicit GRUGating(int64_t dim);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& residual) override;

 private:
  /// nn.GRUCell: weight_ih, weight_hh [3 dim, dim], bias_ih, bias_hh [3 dim], uniform in +-1/sqrt(dim).
  struct Cell : Module {
    explicit Cell(int64_t dim);
    at::Tensor weightIh, weightHh, biasIh, biasHh;
  };
  std::shared_ptr<Cell> gru_;
};

/// A layer whose output is multiplied by a constant (the half-step feed-forwards of Macaron nets, Lu et al. 2019).
class Scale : public Layer {
 public:
  Scale(double value, std::shared_ptr<Layer> fn) : value_(value), fn_(child("fn", std::move(fn))) {}
  at::Tensor forward(const at::Tensor& x) override;

 private:
  double value_;
  std::shared_ptr<Layer> fn_;
};

}  // namespace ldm
