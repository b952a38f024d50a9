// Building blocks of the autoencoder: residual block, resampling, attention.
// Reference: ldm/modules/diffusionmodules/model.py (after Ho et al., "Denoising Diffusion Probabilistic Models", 2020).
// They resemble the U-Net's blocks but differ in eps, padding and attention; hence a namespace of their own.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "layers.h"
#include "rows.h"

namespace ldm::autoencoder {

/// x * sigmoid(x), in two operations as the reference writes it: the fused one rounds differently.
at::Tensor swish(const at::Tensor& x);

constexpr double kEps = 1e-6;
constexpr int64_t kGroups = 32;
/// GroupNorm with 32 groups and eps 1e-6.
std::shared_ptr<GroupNorm> normalize(int64_t channels);
/// swish(norm(x)) for such a norm. Where no gradients are needed, the result may take the place of x.
at::Tensor normalizedSilu(at::Tensor x, GroupNorm& norm);

struct ResnetBlockOptions {
  int64_t in;
  int64_t out;
  double dropout;
  int64_t tembChannels = 0;   ///< 0: no time embedding, no `temb_proj`
  bool convShortcut = false;  ///< 3x3 `conv_shortcut` instead of 1x1 `nin_shortcut` where channels change
};

/// norm - swish - conv - (+ time) - norm - swish - dropout - conv, plus the input.
class ResnetBlock : public Layer, public rows::ByRows {
 public:
  explicit ResnetBlock(const ResnetBlockOptions& options);
  /// Methods: forward{x, temb?} -> {y}.
  explicit ResnetBlock(const Value& params);
  at::Tensor forward(const at::Tensor& x) override { return forward(x, {}); }
  /// x: [b, in, h, w], which is given up as soon as it is not needed any more; temb: [b, tembChannels] or undefined.
  at::Tensor forward(at::Tensor x, const at::Tensor& temb);
  /// Without time embedding and dropout.
  rows::Rows byRows(const rows::Rows& x) override;

 private:
  double dropout_;
  std::shared_ptr<GroupNorm> norm1_, norm2_;
  std::shared_ptr<Conv> conv1_, conv2_, shortcut_;
  std::shared_ptr<Linear> tembProj_;
};

/// Nearest neighbour to twice the size, then a 3x3 convolution unless `withConv` is off.
class Upsample : public Layer, public rows::ByRows {
 public:
  Upsample(int64_t channels, bool withConv);
  explicit Upsample(const Value& params) : Upsample(params.integer("in_channels"), params.boolean("with_conv")) {}
  at::Tensor forward(const at::Tensor& x) override;
  rows::Rows byRows(const rows::Rows& x) override;

 private:
  std::shared_ptr<Conv> conv_;
};

/// 3x3 convolution with stride 2 after padding one row below and one column right, or 2x2 average pooling.
/// An odd size is rounded down: (n + 1 - 3) / 2 + 1 with padding, n / 2 when pooling.
class Downsample : public Layer, public rows::ByRows {
 public:
  Downsample(int64_t channels, bool withConv);
  explicit Downsample(const Value& params) : Downsample(params.integer("in_channels"), params.boolean("with_conv")) {}
  at::Tensor forward(const at::Tensor& x) override;
  rows::Rows byRows(const rows::Rows& x) override;

 private:
  std::shared_ptr<Conv> conv_;
};

/// Self-attention over all positions with one head, scaled by channels^-1/2, plus the input.
class AttnBlock : public Layer {
 public:
  explicit AttnBlock(int64_t channels);
  explicit AttnBlock(const Value& params) : AttnBlock(params.integer("in_channels")) {}
  at::Tensor forward(const at::Tensor& x) override;

 private:
  std::shared_ptr<GroupNorm> norm_;
  std::shared_ptr<Conv> q_, k_, v_, projOut_;
};

/// Linear attention (Shen et al., "Efficient Attention", 2018) with one head as wide as the input: keys are normalised
/// over positions. Neither a norm nor a residual connection, as in the reference.
class LinAttnBlock : public Layer {
 public:
  explicit LinAttnBlock(int64_t channels);
  explicit LinAttnBlock(const Value& params) : LinAttnBlock(params.integer("in_channels")) {}
  at::Tensor forward(const at::Tensor& x) override;

 private:
  std::shared_ptr<Conv> toQkv_, toOut_;
};

/// The attention that `type` names: vanilla, linear, or none (an Identity, which has no keys).
std::shared_ptr<Layer> makeAttention(int64_t channels, const std::string& type);

/// `mid`: residual block, attention, residual block.
class MidBlock : public Layer {
 public:
  MidBlock(int64_t channels, double dropout, const std::string& attention, int64_t tembChannels = 0);
  at::Tensor forward(const at::Tensor& x) override { return forward(x, {}); }
  at::Tensor forward(const at::Tensor& x, const at::Tensor& temb);

 private:
  std::shared_ptr<ResnetBlock> block1_, block2_;
  std::shared_ptr<Layer> attn1_;
};

/// One resolution: residual blocks, each followed by attention where the config's resolution asks for it, then
/// (optionally) resampling.
class Level : public Layer {
 public:
  struct Options {
    std::vector<int64_t> in;  ///< channels that each block takes
    int64_t out;
    double dropout;
    bool attend;
    std::string attention;
    int64_t tembChannels = 0;
  };
  explicit Level(const Options& options);
  void setResample(const std::string& name, std::shared_ptr<Layer> resample) { resample_ = child(name, resample); }
  at::Tensor forward(const at::Tensor& x) override { return mapped(x); }
  /// forward(), which gives x up as soon as it is not needed any more.
  at::Tensor mapped(at::Tensor x) const;
  /// Attention sees all rows at once.
  rows::Rows byRows(const rows::Rows& x) const;

  // The same in parts, for a network with skip connections.
  size_t size() const { return block_->size(); }
  /// Block `i` and its attention.
  at::Tensor block(size_t i, at::Tensor x, const at::Tensor& temb) const;
  /// The resampling, where there is one.
  at::Tensor resample(const at::Tensor& x) const { return resample_ ? resample_->forward(x) : x; }

 private:
  std::shared_ptr<ModuleList<ResnetBlock>> block_ = std::make_shared<ModuleList<ResnetBlock>>();
  std::shared_ptr<ModuleList<Layer>> attn_ = std::make_shared<ModuleList<Layer>>();
  std::shared_ptr<Layer> resample_;
};

}  // namespace ldm::autoencoder
