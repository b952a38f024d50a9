// The U-Net behind its conditioning: ldm.models.diffusion.ddpm.DiffusionWrapper.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "../core/module.h"
#include "../diffusion/conditioning.h"
#include "../modules/denoising_network.h"

namespace ldm {

/// Hands a conditioning to the U-Net: concatenated to the input's channels (concat), as cross-attention context
/// (crossattn), both (hybrid), or as class labels (adm). hybrid-adm and crossattn-adm have labels or vectors besides.
///
/// Methods: forward{x, t, c_concat?, c_crossattn?, c_adm?} -> {out}.
class DiffusionWrapper : public Module {
 public:
  DiffusionWrapper(const Value& unetConfig, ConditioningKey key);

  /// Throws ERR_INVALID_ARGUMENT when the conditioning lacks what the key needs.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& t, const Conditioning& cond);
  ConditioningKey key() const { return key_; }

 private:
  ConditioningKey key_;
  std::shared_ptr<DenoisingNetwork> unet_;
};

}  // namespace ldm
