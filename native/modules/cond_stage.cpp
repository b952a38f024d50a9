#include "cond_stage.h"

namespace ldm {

at::Tensor encodeCondition(Module& stage, const Value& input) {
  if (auto* condStage = dynamic_cast<CondStage*>(&stage)) return condStage->encode(input);
  if (auto* layer = dynamic_cast<Layer*>(&stage)) return layer->forward(input.asTensor("condition"));
  invalid("The cond_stage_config names a module that cannot encode a condition");
}

}  // namespace ldm
