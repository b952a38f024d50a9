#include "block_allocator.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <string_view>
#include <utility>

namespace ldm {

namespace {

constexpr size_t kSmallest = size_t{256} << 10;
/// Sizes and places of blocks are multiples of this.
constexpr size_t kGrain = size_t{64} << 10;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kSlack = size_t{64} << 20;

size_t roundedUp(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

bool isSet(const char* name, std::string_view value) {
  const char* text = std::getenv(name);
  return text && text == value;
}

bool limited(decltype(RLIMIT_AS) resource) {
  struct rlimit limit {};
  return ::getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

/// A range of addresses, reserved once and used from its beginning, cut into blocks without gaps up to `top_`.
class Blocks {
 public:
  Blocks() {
    // Reserved addresses count where they are limited: then every block comes from the C library.
    if (limited(RLIMIT_AS) || limited(RLIMIT_DATA)) return;
    // Addresses cost nothing until they are used. Twice the memory leaves room for fragmentation.
    const size_t size = roundedUp(2 * physical_, kHugePage) + kHugePage;
    void* range = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) return;
    const size_t start = reinterpret_cast<size_t>(range), first = roundedUp(start, kHugePage);
    begin_ = top_ = static_cast<char*>(range) + (first - start);
    end_ = static_cast<char*>(range) + size;
    if (!isSet("THP_MEM_ALLOC_ENABLE", "0")) ::madvise(begin_, static_cast<size_t>(end_ - begin_), MADV_HUGEPAGE);
  }

  /// Memory for `bytes`, or null where there is no room.
  void* take(size_t bytes) {
    // The reserved range is never refused, so what can never be resident has to be: the C library throws.
    if (bytes > physical_) return nullptr;
    const size_t size = roundedUp(bytes, kGrain);
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto fit = free_.lower_bound({size, nullptr});
    char* place = fit != free_.end() ? fit->second : beyond(size);
    if (!place) return nullptr;
    Block& block = blocks_.at(place);
    free_.erase({block.size, place});
    if (block.resident) kept_ -= block.size;
    if (block.size > size) {
      addFree(place + size, {block.size - size, true, block.resident});
      block.size = size;
    }
    block.free = false;
    block.resident = true;
    used_ += size;
    most_ = std::max(most_, used_);
    shrink(most_ + kSlack);
    return place;
  }

  /// Takes a block back. @return false where it is none of these
  bool give(void* memory) {
    char* place = static_cast<char*>(memory);
    if (place < begin_ || place >= end_) return false;
    const std::lock_guard<std::mutex> lock(mutex_);
    auto own = blocks_.find(place);
    Block merged = own->second;
    used_ -= merged.size;
    if (const auto next = std::next(own); next != blocks_.end() && next->second.free) {
      merged.size += next->second.size;
      removeFree(next);
    }
    if (own != blocks_.begin() && std::prev(own)->second.free) {
      const auto before = std::prev(own);
      place = before->first;
      merged.size += before->second.size;
      removeFree(before);
    }
    blocks_.erase(own);
    merged.free = true;
    addFree(place, merged);
    return true;
  }

  void releaseAll() {
    const std::lock_guard<std::mutex> lock(mutex_);
    most_ = used_;
    shrink(used_);
  }

 private:
  struct Block {
    size_t size;
    bool free;
    bool resident;  ///< whether it may hold memory of the system
  };

  /// A free block of `size` at the end of what is used so far; null where the range ends.
  char* beyond(size_t size) {
    size_t missing = size;
    auto last = blocks_.empty() ? blocks_.end() : std::prev(blocks_.end());
    const bool joins = last != blocks_.end() && last->second.free;
    if (joins) missing -= last->second.size;
    if (missing > static_cast<size_t>(end_ - top_)) return nullptr;
    char* place = top_;
    if (joins) {
      place = last->first;
      removeFree(last);
    }
    addFree(place, {size, true, false});
    top_ += missing;
    return place;
  }

  void addFree(char* place, const Block& block) {
    blocks_[place] = block;
    free_.insert({block.size, place});
    if (block.resident) kept_ += block.size;
  }

  void removeFree(std::map<char*, Block>::iterator at) {
    free_.erase({at->second.size, at->first});
    if (at->second.resident) kept_ -= at->second.size;
    blocks_.erase(at);
  }

  /// Gives free blocks back, the largest first, until at most `limit` bytes are used and kept.
  void shrink(size_t limit) {
    for (auto at = free_.rbegin(); at != free_.rend() && used_ + kept_ > limit; ++at) {
      Block& block = blocks_.at(at->second);
      if (!block.resident) continue;
      ::madvise(at->second, block.size, MADV_DONTNEED);
      block.resident = false;
      kept_ -= block.size;
    }
  }

  const size_t physical_ =
      static_cast<size_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  char *begin_ = nullptr, *top_ = nullptr, *end_ = nullptr;
  std::mutex mutex_;
  std::map<char*, Block> blocks_;            ///< all of them by place
  std::set<std::pair<size_t, char*>> free_;  ///< the free ones by size
  size_t used_ = 0, kept_ = 0, most_ = 0;    ///< bytes in use, free but resident, most in use
};

/// Never destroyed: tensors of static duration give their blocks back late.
Blocks& blocks() {
  static auto* all = new Blocks;
  return *all;
}

void giveBack(void* memory) {
  if (reinterpret_cast<uintptr_t>(memory) % kGrain == 0 && memory && blocks().give(memory)) return;
  c10::free_cpu(memory);
}

class BlockAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* memory = bytes >= kSmallest ? blocks().take(bytes) : nullptr;
    if (!memory) memory = c10::alloc_cpu(bytes);
    return {memory, memory, &giveBack, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &giveBack; }
  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }
};

std::atomic<bool> installed = false;

}  // namespace

void installBlockAllocator() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (isSet("LDM_KEEP_MEMORY", "0")) return;
    c10::SetCPUAllocator(new BlockAllocator);
    installed = true;
  });
}

void releaseFreeBlocks() {
  if (installed) blocks().releaseAll();
}

}  // namespace ldm
