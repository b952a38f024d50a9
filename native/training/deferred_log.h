// What a training step logs on a GPU: the host reads it when it is due and does not wait for each step.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "../core/value.h"

namespace ldm {

/// Whether the arguments of a training batch on `device` ask for a log that is read later: `log`, `defer`, and a device
/// that the host would have to wait for.
bool defersLog(const Value& args, at::Device device);

/// {log: what the host knows, by name; later: {names, values}} of logged numbers and 0-dim tensors. `values` is one
/// fp32 tensor on the device, [names + guards]: the named scalars and then the guards of the optimizers' steps, which
/// are more than 0 where a step was left out because a gradient was not finite.
/// @param guards fp32 [1] on the device
Value deferredLog(const Map& log, const std::vector<at::Tensor>& guards);

}  // namespace ldm
