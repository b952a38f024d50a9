#include "backend.h"

#include <ATen/Context.h>

namespace ldm {

void setBenchmark(bool on) { at::globalContext().setBenchmarkCuDNN(on); }

void setDeterministic(bool on) {
  at::globalContext().setDeterministicAlgorithms(on, /*warn_only=*/false);
  at::globalContext().setDeterministicCuDNN(on);
}

}  // namespace ldm
