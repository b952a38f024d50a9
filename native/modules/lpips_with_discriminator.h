// The loss of AutoencoderKL. Reference: ldm/modules/losses/contperceptual.py.
#pragma once

#include <ATen/core/Tensor.h>

#include "distributions.h"
#include "gan_loss.h"

namespace ldm {

/// Reconstruction as a negative log-likelihood with one learned output variance, KL divergence, adversarial part.
///
/// - nll and KL are sums over everything but the batch, divided by the batch size.
/// - `logvar` is a parameter that no optimizer is given (as in the reference): it moves only if somebody adds it to
/// one.
/// - `pixelloss_weight` is accepted and has no effect, as in the reference.
/// - the adaptive weight uses the nll without `weights`.
class LPIPSWithDiscriminator : public GanLoss {
 public:
  explicit LPIPSWithDiscriminator(const Value& params);

  /// The autoencoder's turn (optimizer 0). `weights` scales the nll elementwise where defined.
  LossResult autoencoderTurn(const GanInputs& in, const DiagonalGaussianDistribution& posterior,
                             const at::Tensor& weights);

 private:
  double klWeight_;
  at::Tensor logvar_;
};

}  // namespace ldm
