// DummyLoss: a loss that a model has only so that its config is whole. Reference:
// taming/modules/losses/vqperceptual.py.
#include "../core/module.h"
#include "../core/registry.h"

namespace ldm {

/// Has no state and computes nothing; a model with it is not trained.
class DummyLoss : public Module {
 public:
  explicit DummyLoss(const Value&) {}
};

REGISTER("taming.modules.losses.vqperceptual.DummyLoss", DummyLoss);

}  // namespace ldm
