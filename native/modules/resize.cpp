#include "resize.h"

#include "../core/registry.h"
#include "interpolate.h"

namespace ldm {

Resize::Resize(const Value& params) : mode_(params.string("mode")) {
  if (params.boolean("learned"))
    invalid("Resize with 'learned' has no implementation in latent-diffusion; leave it false");
  method("forward", [this](const Value& args) -> Value {
    return Map{{"y", forward(args.tensor("x"), args.has("scaleFactor") ? args.number("scaleFactor") : 1.)}};
  });
}

at::Tensor Resize::forward(const at::Tensor& x, double scaleFactor) const {
  return scaleFactor == 1. ? x : interpolateBy(x, scaleFactor, mode_);
}

REGISTER("ldm.modules.diffusionmodules.model.Resize", Resize);

}  // namespace ldm
