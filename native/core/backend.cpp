#include "backend.h"

#include <ATen/ATen.h>

#include <atomic>

namespace ldm {

void setBenchmark(bool on) { at::globalContext().setBenchmarkCuDNN(on); }

void setDeterministic(bool on) {
  at::globalContext().setDeterministicAlgorithms(on, /*warn_only=*/false);
  at::globalContext().setDeterministicCuDNN(on);
}

void setTf32(Tf32 use) {
  at::globalContext().setAllowTF32CuDNN(use != Tf32::Off);
  at::globalContext().setAllowTF32CuBLAS(use == Tf32::All);
}

namespace {
std::atomic<bool> graphs{false};
}
void setGraphs(bool on) { graphs.store(on); }
bool graphsWanted() { return graphs.load(); }

at::Tensor onDevice(const at::Tensor& tensor, at::Device device) {
  const bool staged = tensor.device().is_cpu() && !device.is_cpu() && !device.is_meta();
  if (!staged || tensor.requires_grad()) return tensor.to(device);
  return tensor.pin_memory().to(device, tensor.scalar_type(), /*non_blocking=*/true);
}

}  // namespace ldm
