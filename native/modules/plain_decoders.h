// Decoders without attention: SimpleDecoder and UpsampleDecoder of ldm.modules.diffusionmodules.model.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "autoencoder_blocks.h"

namespace ldm {

/// Three residual blocks, then twice the size.
class SimpleDecoder : public Layer {
 public:
  explicit SimpleDecoder(const Value& params);
  /// @param x [n, in_channels, h, w]
  /// @return [n, out_channels, 2 h, 2 w]
  at::Tensor forward(const at::Tensor& x) override;

 private:
  std::shared_ptr<ModuleList<Layer>> model_;
  std::shared_ptr<GroupNorm> normOut_;
  std::shared_ptr<Conv> convOut_;
};

/// Levels of residual blocks with upsampling between them.
class UpsampleDecoder : public Layer {
 public:
  explicit UpsampleDecoder(const Value& params);
  /// @param x [n, in_channels, h, w]
  /// @return [n, out_channels, f h, f w] with f = 2^(levels - 1)
  at::Tensor forward(const at::Tensor& x) override;

 private:
  std::shared_ptr<ModuleList<ModuleList<autoencoder::ResnetBlock>>> resBlocks_;
  std::shared_ptr<ModuleList<autoencoder::Upsample>> upsampleBlocks_;
  std::shared_ptr<GroupNorm> normOut_;
  std::shared_ptr<Conv> convOut_;
};

}  // namespace ldm
