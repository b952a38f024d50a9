// The tensor functions that JavaScript can queue by name.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "value.h"

namespace ldm {

/// One tensor function. It runs twice: on meta tensors at once, for shape checks, and on real ones as a job.
struct TensorOp {
  std::function<at::Tensor(const List& args)> fn;
  /// The result shares the first argument's storage.
  bool view = false;
};

const TensorOp& findOp(const std::string& name);
std::vector<std::string> opNames();
/// The device on which `args` will be computed.
at::Device deviceOfOp(const std::string& name, const List& args, const std::vector<at::Device>& tensorDevices);

/// 'float32' -> at::kFloat and back; ERR_INVALID_ARGUMENT for an unknown name.
at::ScalarType dtypeFromName(const std::string& name);
const char* dtypeName(at::ScalarType dtype);
/// Parses 'cpu', 'cuda', 'cuda:1'; ERR_DEVICE when it is not there.
at::Device parseDevice(const std::string& name);

}  // namespace ldm
