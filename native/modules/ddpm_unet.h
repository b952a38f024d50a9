// The U-Net of the DDPM paper (Ho et al. 2020), in the style of the autoencoders:
// ldm.modules.diffusionmodules.model.Model.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "autoencoder_blocks.h"
#include "denoising_network.h"

namespace ldm {

/// Residual blocks and attention of the autoencoder with a timestep embedding, and skip connections between the halves.
///
/// Methods: forward{x, timesteps?, context?} -> {out}.
class DDPMUNet : public DenoisingNetwork {
 public:
  /// The options of `ddconfig` without z_channels, and use_timestep.
  explicit DDPMUNet(const Value& params);

  /// @param x [n, in_channels, h, w], or fewer channels when `context` brings the rest
  /// @param timesteps [n]; ignored, and may be undefined, without use_timestep
  /// @param context [n, c, h, w], appended to the channels of x; or undefined
  /// @param y must be undefined: this network knows no classes
  /// @return [n, out_ch, h, w]
  at::Tensor forward(const at::Tensor& x, const at::Tensor& timesteps, const at::Tensor& context,
                     const at::Tensor& y) override;

 private:
  int64_t ch_, inChannels_;
  std::shared_ptr<ModuleList<Linear>> dense_;  ///< of the timestep embedding; null without use_timestep
  std::shared_ptr<Conv> convIn_, convOut_;
  std::shared_ptr<ModuleList<autoencoder::Level>> down_ = std::make_shared<ModuleList<autoencoder::Level>>();
  std::shared_ptr<autoencoder::MidBlock> mid_;
  std::shared_ptr<ModuleList<autoencoder::Level>> up_ = std::make_shared<ModuleList<autoencoder::Level>>();
  std::shared_ptr<GroupNorm> normOut_;
};

}  // namespace ldm
