#include "first_stage.h"

namespace ldm {

at::Tensor FirstStage::quantizeFirst(const at::Tensor&) {
  invalid("This first stage has no codebook to quantize with; use a VQ first stage, or leave quantization off");
}
at::Tensor FirstStage::codebookEntry(const at::Tensor&) {
  invalid("This first stage has no codebook; use a VQ first stage, or leave predict_cids off");
}

}  // namespace ldm
