// JavaScript values <-> Value trees.
#pragma once

#include <napi.h>

#include "../core/value.h"

namespace ldm {

/// Tensors become PendingTensor objects: their values are taken when the job runs.
Value fromJs(const Napi::Value& value);
Napi::Value toJs(Napi::Env env, const Value& value, const at::Device& device);

/// The devices of all pending tensors in the tree, in order.
void collectDevices(const Value& value, std::vector<at::Device>& out);
bool anyRequiresGrad(const Value& value);

std::vector<int64_t> intsFromJs(const Napi::Value& value, const char* what);

}  // namespace ldm
