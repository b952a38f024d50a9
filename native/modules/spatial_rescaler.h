// Images (segmentation maps, depth) as conditions: ldm.modules.encoders.modules.SpatialRescaler.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "cond_stage.h"

namespace ldm {

/// Resizes several times by the same factor, then maps the channels.
class SpatialRescaler : public CondStage {
 public:
  /// `method` is 'nearest', 'linear', 'bilinear', 'trilinear', 'bicubic' or 'area'.
  explicit SpatialRescaler(const Value& params);

  /// @param input [n, in_channels, h, w]; [n, c, l] for 'linear' and [n, c, d, h, w] for 'trilinear', which have no
  ///   channel mapper; any of them for 'nearest' and 'area'
  /// @return the same with sizes floor(size * multiplier), once for each stage, and out_channels channels
  at::Tensor encode(const Value& input) override;

 private:
  int64_t stages_;
  double multiplier_;
  std::string method_;
  std::shared_ptr<Conv> channelMapper_;  ///< null without out_channels
};

}  // namespace ldm
