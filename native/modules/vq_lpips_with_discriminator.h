// The loss of the VQ models. Reference: taming/modules/losses/vqperceptual.py and ldm/modules/losses/vqperceptual.py.
#pragma once

#include <ATen/core/Tensor.h>

#include "gan_loss.h"

namespace ldm {

/// Reconstruction, codebook term, adversarial part.
///
/// - nll is the mean of the reconstruction loss (AutoencoderKL's is a sum).
/// - `pixelloss_weight` is accepted and has no effect, as in the reference.
/// - the adaptive weight is computed at disc_factor 0 too.
///
/// Params: those of GanLoss, codebook_weight, disc_ndf. The loss of ldm adds pixel_loss ("l1" or "l2") and n_classes
/// (null or the size of the codebook: then perplexity and use of the codebook are logged); that of taming has neither.
///
/// Departures: the reference's loss of ldm fails at a function that it never imports; without n_classes it fails when
/// it is given indices, here perplexity and use are left out then.
class VQLPIPSWithDiscriminator : public GanLoss {
 public:
  explicit VQLPIPSWithDiscriminator(const Value& params);

  /// The autoencoder's turn (optimizer 0). `codebookLoss`: undefined is 0; `indices`: of the codes that were chosen,
  /// any shape, or undefined.
  LossResult autoencoderTurn(const GanInputs& in, const at::Tensor& codebookLoss, const at::Tensor& indices);

 protected:
  at::Tensor pixelLoss(const at::Tensor& inputs, const at::Tensor& reconstructions) override;

 private:
  /// `perplexity` and `cluster_usage`.
  void logUsage(const at::Tensor& indices, const std::string& split, Map& log) const;

  double codebookWeight_;
  bool squared_;
  int64_t classes_ = 0;  ///< 0: use is not logged
};

}  // namespace ldm
