// What a diffusion model needs of its network.
#pragma once

#include <ATen/core/Tensor.h>

#include "../core/module.h"

namespace ldm {

/// A network that predicts noise (or x0) from a noisy image or latent: UNetModel, or the DDPM paper's U-Net.
class DenoisingNetwork : public Module {
 public:
  /// @param x [n, channels, ...]
  /// @param timesteps [n]
  /// @param context the conditioning, or undefined: tokens [n, tokens, dim] for cross-attention
  /// @param y class labels [n], or undefined
  virtual at::Tensor forward(const at::Tensor& x, const at::Tensor& timesteps, const at::Tensor& context,
                             const at::Tensor& y) = 0;
};

}  // namespace ldm
