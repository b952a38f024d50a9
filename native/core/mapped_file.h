// A file mapped into memory, and tensors that view it.
#pragma once

#include <ATen/core/Tensor.h>

#include <c10/core/StorageImpl.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "object.h"

namespace ldm {

struct MappedTensorSpec {
  int64_t byteOffset = 0;
  int64_t storageNumel = 0;
  int64_t storageOffset = 0;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
  at::ScalarType dtype = at::kFloat;
  bool bigEndian = false;
};

/// A private (copy on write), read-only-on-disk mapping of a whole file.
class MappedFile : public Object {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile() override;

  char* data() const { return data_; }
  size_t size() const { return size_; }
  const std::string& path() const { return path_; }

  /// A copy in memory, aligned and in the byte order of this machine, of a storage that cannot be viewed. All tensors
  /// that are alive at a time share it: a small file may have many views of a large storage.
  at::Tensor copiedStorage(const MappedTensorSpec& spec);

 private:
  using StorageKey = std::tuple<int64_t, int64_t, at::ScalarType, bool>;
  std::mutex mutex_;
  std::map<StorageKey, c10::weak_intrusive_ptr<c10::StorageImpl>> copies_;
  std::string path_;
  char* data_ = nullptr;
  size_t size_ = 0;
};

/// Bytes of a mapped file.
struct MappedRange {
  std::shared_ptr<MappedFile> file;
  size_t offset = 0;
  size_t bytes = 0;

  /// Tells the kernel that the pages are not needed for now, so that a large file does not stay resident.
  void drop() const;
};

/// Checks the spec against the file (ERR_CHECKPOINT) and returns the bytes that the tensor spans.
MappedRange rangeOf(const std::shared_ptr<MappedFile>& file, const MappedTensorSpec& spec);

/// A view of the file where alignment and byte order allow it, else a copy.
at::Tensor tensorFromFile(const std::shared_ptr<MappedFile>& file, const MappedTensorSpec& spec);

/// target.copy_(source) for a source that views `range`. Large ones are copied in pieces whose pages are given back one
/// by one, so that loading a file needs little more memory than the model itself. The pages are dropped in any case.
void copyFromFile(at::Tensor target, const at::Tensor& source, const MappedRange& range);

}  // namespace ldm
