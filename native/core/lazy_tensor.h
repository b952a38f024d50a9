// A tensor that may still be in computation: its shape and dtype are known at once, its value later.
#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <future>
#include <memory>

#include "mapped_file.h"
#include "value.h"

namespace ldm {

struct LazyTensor {
  at::Tensor meta;  ///< same shape, strides and dtype on the meta device
  at::Device device = at::kCPU;
  std::atomic<bool> requiresGrad{false};
  std::shared_future<at::Tensor> value;  ///< holds the error when the computation failed
  MappedRange range;                     ///< where the data lies in a mapped file, if it does
  int64_t ownBytes = 0;                  ///< bytes that this tensor (not its base) keeps alive

  LazyTensor() = default;
  LazyTensor(const LazyTensor&) = delete;
  LazyTensor& operator=(const LazyTensor&) = delete;
  /// Gives the pages of the file back: who goes through a large file tensor by tensor needs memory for one.
  ~LazyTensor() { range.drop(); }

  /// A tensor whose value is there.
  static std::shared_ptr<LazyTensor> of(const at::Tensor& tensor);
};

/// Stands for a lazy tensor inside a Value until the job that needs it runs.
class PendingTensor : public Object {
 public:
  explicit PendingTensor(std::shared_ptr<LazyTensor> tensor) : tensor(std::move(tensor)) {}
  std::shared_ptr<LazyTensor> tensor;
};

/// Replaces every PendingTensor by its value (waits for it), or by its meta tensor.
Value resolved(const Value& value);
Value resolvedMeta(const Value& value);

}  // namespace ldm
