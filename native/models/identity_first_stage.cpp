#include "identity_first_stage.h"

#include "../core/registry.h"

namespace ldm {

IdentityFirstStage::IdentityFirstStage(const Value& params) : vqInterface_(params.boolean("vq_interface")) {
  method("encode", [](const Value& args) -> Value { return Map{{"z", args.tensor("x")}}; });
  method("decode", [](const Value& args) -> Value { return Map{{"x", args.tensor("z")}}; });
  method("quantize", [](const Value& args) -> Value { return Map{{"quant", args.tensor("z")}}; });
  method("forward", [](const Value& args) -> Value { return Map{{"y", args.tensor("x")}}; });
}

REGISTER("ldm.models.autoencoder.IdentityFirstStage", IdentityFirstStage);

}  // namespace ldm
