// ldm.modules.diffusionmodules.openaimodel.ResBlock.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "layers.h"
#include "timestep_sequential.h"

namespace ldm::unet {

/// Whether a residual block also changes the spatial size.
enum class Resampling { None, Up, Down };

struct ResBlockOptions {
  double dropout = 0;
  int64_t dims = 2;
  bool scaleShiftNorm = false;  ///< the embedding scales and shifts (FiLM) instead of being added
  bool checkpoint = false;      ///< recompute in the backward pass, where dropout draws anew, as in the reference
  bool wideShortcut = false;    ///< a 3x3 instead of a 1x1 convolution where channels change (use_conv)
};

/// Two normalised 3x3 convolutions around the timestep embedding, with a residual connection.
class ResBlock : public TimestepBlock {
 public:
  ResBlock(int64_t channels, int64_t embChannels, int64_t outChannels, const ResBlockOptions& options,
           Resampling resampling = Resampling::None);
  /// Methods: forward{x, emb} -> {y}.
  explicit ResBlock(const Value& params);

  at::Tensor forward(const at::Tensor& x, const at::Tensor& emb) override;

 private:
  at::Tensor compute(const at::Tensor& x, const at::Tensor& emb);

  bool scaleShiftNorm_, checkpoint_;
  std::shared_ptr<GroupNorm> inNorm_, outNorm_;  ///< the first of inLayers_ and of outLayers_
  std::shared_ptr<Sequential> inLayers_, embLayers_, outLayers_;
  std::shared_ptr<Layer> resample_;  ///< has no parameters: h and x share it
  std::shared_ptr<Conv> skip_;       ///< null: the identity
};

}  // namespace ldm::unet
