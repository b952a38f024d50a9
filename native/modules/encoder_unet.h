// The contracting half of the U-Net as a classifier of noisy images:
// ldm.modules.diffusionmodules.openaimodel.EncoderUNetModel.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "layers.h"
#include "timestep_sequential.h"

namespace ldm {

/// A noise-conditional classifier (Dhariwal & Nichol 2021, classifier guidance).
///
/// Methods: `forward` {x, timesteps} -> {logits}.
class EncoderUNetModel : public Module {
 public:
  /// `pool` is 'adaptive', 'attention', 'spatial' or 'spatial_v2'.
  explicit EncoderUNetModel(const Value& params);

  /// @param x [n, in_channels, h, w]
  /// @param timesteps [n]
  /// @return [n, out_channels]
  at::Tensor forward(const at::Tensor& x, const at::Tensor& timesteps);

 private:
  int64_t modelChannels_;
  bool pooledFeatures_;  ///< 'spatial*': the head sees the means of every block's output
  std::shared_ptr<Sequential> timeEmbed_;
  std::shared_ptr<ModuleList<TimestepEmbedSequential>> inputBlocks_;
  std::shared_ptr<TimestepEmbedSequential> middleBlock_;
  std::shared_ptr<Sequential> out_;
};

}  // namespace ldm
