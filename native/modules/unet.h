// The denoising U-Net of latent diffusion: ldm.modules.diffusionmodules.openaimodel.UNetModel.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "denoising_network.h"
#include "layers.h"
#include "timestep_sequential.h"

namespace ldm {

/// The U-Net that predicts noise (or x0) from a noisy latent and a timestep (Ho et al. 2020, Dhariwal & Nichol 2021,
/// conditioned by cross-attention as in Rombach et al. 2022).
///
/// Methods: `forward` {x, timesteps, context?, y?} -> {out}.
class UNetModel : public DenoisingNetwork {
 public:
  explicit UNetModel(const Value& params);

  /// @param x [n, in_channels, ...] with `dims` spatial dimensions
  /// @param timesteps [n], integer or fractional
  /// @param context [n, tokens, context_dim] for a U-Net with spatial transformers, else undefined
  /// @param y if and only if the U-Net has num_classes: class labels (int64) [n]; numbers [n, 1] with "continuous";
  ///   vectors [n, adm_in_channels] with "sequential"
  /// @return [n, out_channels, ...], or [n, n_embed, ...] logits when the U-Net predicts codebook indices
  at::Tensor forward(const at::Tensor& x, const at::Tensor& timesteps, const at::Tensor& context,
                     const at::Tensor& y) override;

 private:
  bool classConditional() const { return labelEmb_ || vectorEmb_; }
  void createLabelEmbedding(const Value& params, int64_t width);
  at::Tensor labelEmbedding(const at::Tensor& y, int64_t batch, at::ScalarType type) const;

  int64_t inChannels_, outChannels_, modelChannels_;
  std::shared_ptr<Sequential> timeEmbed_;
  std::shared_ptr<Embedding> labelEmb_;  ///< one of these two, or none
  std::shared_ptr<Layer> vectorEmb_;
  int64_t vectorWidth_ = 0;
  std::shared_ptr<ModuleList<TimestepEmbedSequential>> inputBlocks_;
  std::shared_ptr<TimestepEmbedSequential> middleBlock_;
  std::shared_ptr<ModuleList<TimestepEmbedSequential>> outputBlocks_;
  std::shared_ptr<Sequential> out_;
  std::shared_ptr<Sequential> idPredictor_;
};

}  // namespace ldm
