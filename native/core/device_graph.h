// A function of tensors whose kernels are recorded once and then started together (CUDA graphs): a network of hundreds
// of short kernels costs the host one call.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <vector>

namespace ldm {

/// Runs a function by a graph of its own for each combination of shapes, numbers' types and autocast. The first call of
/// a combination computes it as usual (libraries choose and allocate what they need), the second records, the others
/// replay.
///
/// The function may only use its tensor arguments and what stays where it is (weights), must not wait for the device
/// and always does the same. Its arguments are copied to where the graph reads them; its result is a copy as well.
class DeviceGraph {
 public:
  using Function = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

  DeviceGraph();
  ~DeviceGraph();
  DeviceGraph(const DeviceGraph&) = delete;

  /// Throws ERR_DEVICE where libtorch has no graphs for `device`: on the CPU, and before 2.13.
  static void require(at::Device device);
  /// fn(inputs), all on one device.
  at::Tensor run(const std::vector<at::Tensor>& inputs, const Function& fn);

 private:
  struct Recording;
  std::vector<std::unique_ptr<Recording>> recordings_;
};

}  // namespace ldm
