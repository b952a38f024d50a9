// Encoder and decoder of the first stages (Esser et al., "Taming Transformers for High-Resolution Image Synthesis",
// 2020). Reference: ldm/modules/diffusionmodules/model.py.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "autoencoder_blocks.h"

namespace ldm {

/// What encoder, decoder and the U-Net of the DDPM paper read of a `ddconfig` node.
struct NetworkOptions {
  explicit NetworkOptions(const Value& ddconfig);

  int64_t ch, outCh, numResBlocks, inChannels, resolution;
  std::vector<int64_t> chMult, attnResolutions;
  double dropout;
  bool resampWithConv;
  std::string attnType;  ///< 'linear' when use_linear_attn is set

  /// Attention follows the config's resolution, whatever the size of the input.
  bool attendsAt(int64_t resolution) const;
};

/// Images [b, in_channels, H, W] to features [b, z_channels (twice that with double_z), H / f, W / f] with
/// f = 2^(levels - 1).
class Encoder : public Layer {
 public:
  explicit Encoder(const Value& ddconfig);
  at::Tensor forward(const at::Tensor& x) override;

 private:
  /// The same in memory that follows the tile (rows.h).
  at::Tensor byRows(const at::Tensor& x);

  std::shared_ptr<Conv> convIn_, convOut_;
  std::shared_ptr<ModuleList<autoencoder::Level>> down_ = std::make_shared<ModuleList<autoencoder::Level>>();
  std::shared_ptr<autoencoder::MidBlock> mid_;
  std::shared_ptr<GroupNorm> normOut_;
};

/// Latents [b, z_channels, h, w] to images [b, out_ch, h * f, w * f]. With give_pre_end the features before the last
/// norm; with tanh_out images are squashed to (-1, 1).
class Decoder : public Layer {
 public:
  explicit Decoder(const Value& ddconfig);
  at::Tensor forward(const at::Tensor& z) override;
  /// The weight at which the adversarial loss is balanced.
  const at::Tensor& lastLayer() const { return convOut_->weight; }

 private:
  /// The same in memory that follows the tile (rows.h).
  at::Tensor byRows(const at::Tensor& z);

  bool givePreEnd_, tanhOut_;
  std::shared_ptr<Conv> convIn_, convOut_;
  std::shared_ptr<autoencoder::MidBlock> mid_;
  std::shared_ptr<ModuleList<autoencoder::Level>> up_ = std::make_shared<ModuleList<autoencoder::Level>>();
  std::shared_ptr<GroupNorm> normOut_;
};

}  // namespace ldm
