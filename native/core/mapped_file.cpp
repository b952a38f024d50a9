#include "mapped_file.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "error.h"
#include "value.h"

namespace ldm {

namespace {

[[noreturn]] void systemError(const std::string& what, const std::string& path) {
  throw LdmError("ERR_FILE", what + " " + path + ": " + std::strerror(errno));
}

[[noreturn]] void damaged(const std::shared_ptr<MappedFile>& file, const std::string& what) {
  throw LdmError("ERR_CHECKPOINT", file->path() + ": " + what + "; the file is damaged");
}

}  // namespace

MappedFile::MappedFile(const std::string& path) : path_(path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) systemError("Cannot open", path);
  struct stat info {};
  if (::fstat(fd, &info) != 0) {
    ::close(fd);
    systemError("Cannot read", path);
  }
  if (!S_ISREG(info.st_mode)) {
    ::close(fd);
    throw LdmError("ERR_FILE", path + " is not a file");
  }
  size_ = static_cast<size_t>(info.st_size);
  if (size_ > 0) {
    void* p = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
      ::close(fd);
      systemError("Cannot map", path);
    }
    data_ = static_cast<char*>(p);
  }
  ::close(fd);
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(data_, size_);
}

void MappedRange::drop() const {
  if (!file || !file->data()) return;
  static const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  size_t begin = (offset + page - 1) / page * page;
  size_t end = (offset + bytes) / page * page;
  if (end > begin) ::madvise(file->data() + begin, end - begin, MADV_DONTNEED);
}

MappedRange rangeOf(const std::shared_ptr<MappedFile>& file, const MappedTensorSpec& spec) {
  const int64_t itemSize = static_cast<int64_t>(c10::elementSize(spec.dtype));
  const int64_t limit = static_cast<int64_t>(file->size());
  if (spec.byteOffset < 0 || spec.storageNumel < 0 || spec.storageOffset < 0)
    damaged(file, "a tensor has a negative offset or size");
  if (spec.shape.size() != spec.strides.size()) damaged(file, "a tensor's shape and strides differ in length");
  if (spec.storageNumel > (limit - std::min(spec.byteOffset, limit)) / itemSize)
    damaged(file, "a tensor's storage of " + std::to_string(spec.storageNumel) + " elements at byte " +
                      std::to_string(spec.byteOffset) + " ends after the file's " + std::to_string(limit) + " bytes");
  int64_t last = spec.storageOffset;
  bool empty = false;
  for (size_t i = 0; i < spec.shape.size(); ++i) {
    if (spec.shape[i] < 0 || spec.strides[i] < 0) damaged(file, "a tensor has a negative size or stride");
    if (spec.shape[i] == 0) {
      empty = true;
      continue;
    }
    int64_t step = 0;
    if (__builtin_mul_overflow(spec.shape[i] - 1, spec.strides[i], &step) || __builtin_add_overflow(last, step, &last))
      damaged(file, "a tensor's shape is absurdly large");
  }
  if (!empty && last >= spec.storageNumel)
    damaged(file, "a tensor reaches to element " + std::to_string(last) + " of a storage of " +
                      std::to_string(spec.storageNumel));
  return {file, static_cast<size_t>(spec.byteOffset), static_cast<size_t>(spec.storageNumel * itemSize)};
}

namespace {

void reverseBytes(char* data, size_t items, size_t itemSize) {
  for (size_t i = 0; i < items; ++i) std::reverse(data + i * itemSize, data + (i + 1) * itemSize);
}

}  // namespace

at::Tensor tensorFromFile(const std::shared_ptr<MappedFile>& file, const MappedTensorSpec& spec) {
  MappedRange range = rangeOf(file, spec);
  auto options = at::TensorOptions().dtype(spec.dtype);
  if (range.bytes == 0) return at::empty(spec.shape, options);
  const size_t itemSize = c10::elementSize(spec.dtype);
  char* base = file->data() + range.offset;
  const bool swap = spec.bigEndian && itemSize > 1;
  const bool aligned = reinterpret_cast<uintptr_t>(base) % itemSize == 0;
  if (aligned && !swap) {
    // The deleter keeps the mapping alive as long as any view of the tensor.
    at::Tensor storage = at::from_blob(
        base, {spec.storageNumel}, [file](void*) {}, options);
    return storage.as_strided(spec.shape, spec.strides, spec.storageOffset);
  }
  at::Tensor storage = file->copiedStorage(spec);
  range.drop();
  return storage.as_strided(spec.shape, spec.strides, spec.storageOffset);
}

at::Tensor MappedFile::copiedStorage(const MappedTensorSpec& spec) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto options = at::TensorOptions().dtype(spec.dtype);
  const StorageKey key{spec.byteOffset, spec.storageNumel, spec.dtype, spec.bigEndian};
  if (auto found = copies_.find(key); found != copies_.end())
    if (auto alive = found->second.lock())
      return at::empty({0}, options).set_(c10::Storage(std::move(alive)), 0, {spec.storageNumel}, {1});
  at::Tensor copy = at::empty({spec.storageNumel}, options);
  const size_t itemSize = c10::elementSize(spec.dtype);
  std::memcpy(copy.data_ptr(), data_ + spec.byteOffset, static_cast<size_t>(spec.storageNumel) * itemSize);
  if (spec.bigEndian)
    reverseBytes(static_cast<char*>(copy.data_ptr()), static_cast<size_t>(spec.storageNumel), itemSize);
  copies_.insert_or_assign(key, c10::weak_intrusive_ptr<c10::StorageImpl>(copy.storage().getWeakStorageImpl()));
  return copy;
}

void copyFromFile(at::Tensor target, const at::Tensor& source, const MappedRange& range) {
  constexpr int64_t kPieceBytes = 32 << 20;
  const int64_t itemSize = static_cast<int64_t>(source.element_size());
  const bool pieces = range.file && source.numel() * itemSize > kPieceBytes && source.is_contiguous() &&
                      target.is_contiguous() && source.data_ptr() == range.file->data() + range.offset;
  if (!pieces) {
    target.copy_(source);
    range.drop();
    return;
  }
  at::Tensor from = source.view(-1);
  at::Tensor to = target.view(-1);
  const int64_t step = kPieceBytes / itemSize;
  for (int64_t begin = 0; begin < from.numel(); begin += step) {
    const int64_t count = std::min(step, from.numel() - begin);
    to.narrow(0, begin, count).copy_(from.narrow(0, begin, count));
    MappedRange{range.file, range.offset, static_cast<size_t>((begin + count) * itemSize)}.drop();
  }
}

}  // namespace ldm
