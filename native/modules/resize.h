// ldm.modules.diffusionmodules.model.Resize.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "../core/module.h"

namespace ldm {

/// Resizes by a factor given with each call. The learned variant does not exist in the reference either.
///
/// Methods: forward{x, scaleFactor} -> {y}.
class Resize : public Module {
 public:
  /// `mode`: bilinear, bicubic, linear or trilinear, as the input has dimensions.
  explicit Resize(const Value& params);
  at::Tensor forward(const at::Tensor& x, double scaleFactor) const;

 private:
  std::string mode_;
};

}  // namespace ldm
