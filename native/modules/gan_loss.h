// What the losses of the first stages share: reconstruction with a perceptual part, and an adversarial part whose
// weight adapts to the gradients (Esser et al., "Taming Transformers", 2020, section 3.1). Reference:
// ldm/modules/losses/contperceptual.py, taming/modules/losses/vqperceptual.py.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "discriminator.h"
#include "lpips.h"

namespace ldm {

/// The loss to differentiate and the scalars to log, 0-dim tensors outside of the graph under the reference's names.
struct LossResult {
  at::Tensor loss;
  Map log;
};

/// What both turns of an adversarial loss are given.
struct GanInputs {
  at::Tensor inputs;           ///< images [b, c, H, W]
  at::Tensor reconstructions;  ///< the same shape
  at::Tensor cond;             ///< [b, k, H, W] for a conditional discriminator, else undefined
  at::Tensor lastLayer;        ///< the decoder's last weight, at which gradients are compared
  int64_t globalStep;
  std::string split;               ///< prefix of the logged names
  bool skipDiscriminator = false;  ///< the autoencoder's turn without it, see GanLoss::discriminatorIsIdle

  /// From {inputs, reconstructions, cond?, lastLayer?, globalStep, split}.
  static GanInputs from(const Value& args);
};

/// Mean of max(0, 1 - real) and max(0, 1 + fake).
at::Tensor hingeDiscriminatorLoss(const at::Tensor& real, const at::Tensor& fake);
/// Mean of softplus(-real) and softplus(fake).
at::Tensor vanillaDiscriminatorLoss(const at::Tensor& real, const at::Tensor& fake);

/// Base of the first stages' losses. Children: perceptual_loss, discriminator.
class GanLoss : public Module {
 public:
  NLayerDiscriminator& discriminator() { return *discriminator_; }
  /// False when the loss needs LPIPS features whose weights were not loaded.
  bool perceptualReady() const { return perceptualWeight_ <= 0 || perceptual_->loaded(); }
  /// Whether nothing of the discriminator reaches the weights in this step: disc_factor is 0, as it always is before
  /// disc_start. Then the terms of both turns are exactly 0, and what is left of them are logged scalars and the
  /// running statistics of BatchNorm. An ActNorm that the first batch has still to initialize does reach the weights.
  bool discriminatorIsIdle(int64_t globalStep) const;
  /// The discriminator's turn when it is idle and nobody asks for its scalars: draws what the turn would draw for LPIPS
  /// and gives no loss, which stands for gradients of 0.
  LossResult idleDiscriminatorTurn(const at::Tensor& inputs, const std::string& split);
  /// The discriminator's turn (optimizer 1). The reference computes the reconstruction loss here as well and does not
  /// use it: only its random numbers are consumed.
  LossResult discriminatorTurn(const GanInputs& in);

 protected:
  /// Reads disc_start, disc_num_layers, disc_in_channels, disc_factor, disc_weight, perceptual_weight, use_actnorm,
  /// disc_conditional and disc_loss. `ndf`: the discriminator's first width.
  GanLoss(const Value& params, int64_t ndf);

  struct Reconstruction {
    at::Tensor loss;        ///< pixelLoss + perceptual_weight * LPIPS, elementwise
    at::Tensor perceptual;  ///< LPIPS [b, 1, 1, 1]; undefined when its weight is 0
  };
  Reconstruction reconstruction(const GanInputs& in);
  /// Difference of two images, elementwise; |x - y| unless a loss has another.
  virtual at::Tensor pixelLoss(const at::Tensor& inputs, const at::Tensor& reconstructions);

  struct GeneratorTerm {
    at::Tensor gLoss;    ///< minus the mean logit of the reconstructions; undefined where the discriminator is skipped
    at::Tensor dWeight;  ///< adaptive weight, outside of the graph; undefined likewise
    double discFactor;   ///< disc_factor, or 0 before disc_start
    /// `loss` and the weighted gLoss.
    at::Tensor addTo(const at::Tensor& loss) const;
    /// Adds d_weight, disc_factor and g_loss, as far as they are known.
    void addTo(Map& log, const std::string& split) const;
  };
  /// `adaptive` false: the weight is 0 without being computed.
  GeneratorTerm generatorTerm(const GanInputs& in, const at::Tensor& nll, bool adaptive);

  double discFactor_;
  double perceptualWeight_;

 private:
  at::Tensor logits(const at::Tensor& images, const at::Tensor& cond);
  at::Tensor adaptiveWeight(const at::Tensor& nll, const at::Tensor& gLoss, const at::Tensor& lastLayer);
  /// disc_factor from disc_start on, 0 before.
  double adopted(int64_t globalStep) const { return globalStep < discStart_ ? 0.0 : discFactor_; }

  int64_t discStart_;
  double discWeight_;
  bool discConditional_, hinge_;
  std::shared_ptr<LPIPS> perceptual_;
  std::shared_ptr<NLayerDiscriminator> discriminator_;
};

}  // namespace ldm
