// IdentityFirstStage: diffusion in pixel space, or a conditioning that is used as it is.
// Reference: ldm/models/autoencoder.py.
#pragma once

#include "first_stage.h"

namespace ldm {

/// Has no weights; encode, decode and quantize return their argument.
class IdentityFirstStage : public FirstStage {
 public:
  /// `vq_interface`: whether quantize answers in the form of a VQ model.
  explicit IdentityFirstStage(const Value& params);

  FirstStageEncoding encodeFirst(const at::Tensor& x) override { return {x, nullptr}; }
  at::Tensor decodeFirst(const at::Tensor& z, bool) override { return z; }
  at::Tensor quantizeFirst(const at::Tensor& z) override { return z; }
  bool vqInterface() const override { return vqInterface_; }

 private:
  bool vqInterface_;
};

}  // namespace ldm
