// A pretend GPU for tests on machines without one. In a CPU build of libtorch it takes the place of the CUDA backend:
// every operator is computed by its CPU kernel, but the rules are those of a device of its own.
//
// - Device memory is mapped twice: at the address that tensors have nobody may touch it, and operators go through the
//   second mapping. Code that takes a device tensor for one of the CPU ends the process with a message and a backtrace.
// - Operators refuse tensors of different devices; CPU tensors of 0 dimensions pass in pointwise operators, as on CUDA.
// - Whatever would make the host wait for a real device is counted by name, and so are operators.
// - Copies to pinned memory of the host arrive when the host waits, and not before.
// - Operators between capture_begin and capture_end of a graph are recorded and replayed on the same memory. As on CUDA
//   capturing needs a stream of its own and refuses what waits; a replay that reads memory that was freed throws.
// - Backward functions run on a thread of the autograd engine's, as on CUDA.
//
// What it cannot tell: CUDA's rounding and speed, and where its kernels are choosy about dtypes and layouts.
//
// It is loaded as an addon of Node before libtorch is, which asks once whether there is CUDA: pretend.ts.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <execinfo.h>
#include <node_api.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <torch/library.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#if __has_include(<ATen/core/GraphImplInterface.h>)
#include <ATen/core/GraphImplInterface.h>
#define PRETEND_GRAPHS
#endif

namespace {

constexpr auto kType = c10::DeviceType::CUDA;
const c10::DispatchKeySet kKeys(c10::DispatchKey::CUDA);
const c10::Device kDevice(kType, 0);

// ---------------------------------------------------------------------------------------------------- counts
struct Counts {
  std::mutex mutex;
  std::map<std::string, int64_t> operators, waits;

  void op(const std::string& name) {
    std::lock_guard<std::mutex> lock(mutex);
    ++operators[name];
  }
  void wait(const std::string& name) {
    std::lock_guard<std::mutex> lock(mutex);
    ++waits[name];
  }
};
Counts& counts() {
  static Counts all;
  return all;
}

// ---------------------------------------------------------------------------------------------------- memory
/// Memory of the device and its second mapping, `delta` bytes away.
class Arena {
 public:
  static Arena& get() {
    static Arena* arena = new Arena;  // outlives every tensor
    return *arena;
  }

  void* allocate(size_t bytes) {
    if (bytes == 0) return nullptr;
    std::lock_guard<std::mutex> lock(mutex_);
    const size_t rounded = sizeClass(bytes);
    auto& free = free_[rounded];
    size_t offset;
    if (!free.empty()) {
      offset = free.back();
      free.pop_back();
    } else {
      TORCH_CHECK(end_ + rounded <= kBytes, "pretend: out of memory");
      offset = end_;
      end_ += rounded;
    }
    live_[offset] = {rounded, ++serial_};
    return device_ + offset;
  }
  void release(void* address) {
    if (!address) return;
    std::lock_guard<std::mutex> lock(mutex_);
    const size_t offset = static_cast<size_t>(static_cast<char*>(address) - device_);
    auto it = live_.find(offset);
    // What is read after this is not a number.
    std::memset(host_ + offset, 0xff, it->second.size);
    free_[it->second.size].push_back(offset);
    live_.erase(it);
  }
  /// The serial number of the allocation at an address; 0 when it was freed.
  int64_t serial(const void* address) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto it = live_.find(static_cast<size_t>(static_cast<const char*>(address) - device_));
    return it == live_.end() ? 0 : it->second.serial;
  }
  bool holds(const void* address) const { return address >= device_ && address < device_ + kBytes; }
  /// Where the host sees what lies at an address of the device.
  void* host(const void* address) const {
    return address ? const_cast<char*>(static_cast<const char*>(address)) + (host_ - device_) : nullptr;
  }

 private:
  static constexpr size_t kBytes = size_t{1} << 36;  // of addresses; memory is taken where it is written
  struct Block {
    size_t size;
    int64_t serial;
  };

  Arena() {
    const int file = static_cast<int>(syscall(SYS_memfd_create, "pretend-device", 0));
    TORCH_CHECK(file >= 0 && ftruncate(file, kBytes) == 0, "pretend: no memory file");
    auto map = [&](int rights) { return mmap(nullptr, kBytes, rights, MAP_SHARED | MAP_NORESERVE, file, 0); };
    void *device = map(PROT_NONE), *host = map(PROT_READ | PROT_WRITE);
    TORCH_CHECK(device != MAP_FAILED && host != MAP_FAILED, "pretend: no addresses");
    device_ = static_cast<char*>(device);
    host_ = static_cast<char*>(host);
    close(file);
    struct sigaction action = {};
    action.sa_sigaction = &Arena::fault;
    action.sa_flags = SA_SIGINFO | SA_RESETHAND;
    sigaction(SIGSEGV, &action, nullptr);
  }
  static void fault(int, siginfo_t* info, void*) {
    if (!get().holds(info->si_addr)) return;  // returning faults again, with the default action
    constexpr char text[] = "pretend: the host touches memory of the device\n";
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(139);
    void* frames[64];
    backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
    _exit(139);
  }
  /// Eighths of powers of two, at least 64 bytes apart.
  static size_t sizeClass(size_t bytes) {
    size_t step = 64;
    while (step * 8 < bytes) step *= 2;
    return (bytes + step - 1) / step * step;
  }

  std::mutex mutex_;
  char *device_, *host_;
  size_t end_ = 0;
  int64_t serial_ = 0;
  std::map<size_t, std::vector<size_t>> free_;
  std::unordered_map<size_t, Block> live_;
};

struct DeviceAllocator final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    void* address = Arena::get().allocate(bytes);
    return {address, address, raw_deleter(), kDevice};
  }
  c10::DeleterFnPtr raw_deleter() const override {
    return [](void* address) { Arena::get().release(address); };
  }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    std::memcpy(Arena::get().host(to), Arena::get().host(from), bytes);
  }
};
DeviceAllocator deviceAllocator;

/// Pinned memory of the host.
struct PinnedAllocator final : c10::Allocator {
  static std::mutex mutex;
  static std::map<const char*, size_t> blocks;

  c10::DataPtr allocate(size_t bytes) override {
    char* address = static_cast<char*>(std::malloc(std::max<size_t>(bytes, 1)));
    std::lock_guard<std::mutex> lock(mutex);
    blocks[address] = bytes;
    return {address, address, raw_deleter(), c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override {
    return [](void* address) {
      std::lock_guard<std::mutex> lock(mutex);
      blocks.erase(static_cast<char*>(address));
      std::free(address);
    };
  }
  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }
  static bool holds(const void* pointer) {
    std::lock_guard<std::mutex> lock(mutex);
    auto it = blocks.upper_bound(static_cast<const char*>(pointer));
    if (it == blocks.begin()) return false;
    --it;
    return static_cast<const char*>(pointer) < it->first + std::max<size_t>(it->second, 1);
  }
};
std::mutex PinnedAllocator::mutex;
std::map<const char*, size_t> PinnedAllocator::blocks;
PinnedAllocator pinnedAllocator;

// ---------------------------------------------------------------------------------------------------- streams
thread_local c10::StreamId currentStream = 0;

/// Copies to pinned memory that the host has not waited for yet.
struct Arrivals {
  std::mutex mutex;
  std::vector<std::pair<at::Tensor, at::Tensor>> pending;  ///< where to, and what

  void add(const at::Tensor& target, const at::Tensor& value) {
    std::lock_guard<std::mutex> lock(mutex);
    std::memset(target.data_ptr(), 0xff, target.nbytes());
    pending.emplace_back(target, value);
  }
  void land() {
    std::lock_guard<std::mutex> lock(mutex);
    for (auto& [target, value] : pending) target.copy_(value);
    pending.clear();
  }
};
Arrivals& arrivals() {
  static Arrivals all;
  return all;
}

void hostWaits(const std::string& what);

struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return kType; }
  c10::Device exchangeDevice(c10::Device) const override { return kDevice; }
  c10::Device getDevice() const override { return kDevice; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream stream(c10::StreamId id) const { return c10::Stream(c10::Stream::UNSAFE, kDevice, id); }
  c10::Stream getStream(c10::Device) const override { return stream(currentStream); }
  c10::Stream getDefaultStream(c10::Device) const override { return stream(0); }
  c10::Stream getStreamFromGlobalPool(c10::Device, bool) const override { return stream(1); }
  c10::Stream getNewStream(c10::Device, int) const override { return stream(1); }
  c10::Stream exchangeStream(c10::Stream next) const override {
    const auto previous = stream(currentStream);
    currentStream = next.id();
    return previous;
  }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  void record(void** event, const c10::Stream&, c10::DeviceIndex, c10::EventFlag) const override {
    *event = const_cast<Guard*>(this);
  }
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  void destroyEvent(void*, c10::DeviceIndex) const noexcept override {}
  bool queryStream(const c10::Stream&) const override { return true; }
  bool isStreamCapturing(const c10::Stream&) const override;
  void synchronizeStream(const c10::Stream&) const override { hostWaits("synchronize stream"); }
  void synchronizeEvent(void*) const override { hostWaits("synchronize event"); }
  void synchronizeDevice(c10::DeviceIndex) const override { hostWaits("synchronize device"); }
};
C10_REGISTER_GUARD_IMPL(CUDA, Guard);

// ---------------------------------------------------------------------------------------------------- generators
/// The stream of the CPU's generator, so that the device draws what the CPU draws.
struct Generator final : c10::GeneratorImpl {
  explicit Generator(at::Generator cpu) : GeneratorImpl(kDevice, kKeys), inner(std::move(cpu)) {}
  void set_current_seed(uint64_t seed) override { inner.set_current_seed(seed); }
  void set_offset(uint64_t offset) override { inner.set_offset(offset); }
  uint64_t get_offset() const override { return inner.get_offset(); }
  uint64_t current_seed() const override { return inner.current_seed(); }
  uint64_t seed() override { return const_cast<at::Generator&>(inner).seed(); }
  void set_state(const c10::TensorImpl& state) override { inner.unsafeGetGeneratorImpl()->set_state(state); }
  c10::intrusive_ptr<c10::TensorImpl> get_state() const override { return inner.unsafeGetGeneratorImpl()->get_state(); }
  GeneratorImpl* clone_impl() const override { return new Generator(inner.clone()); }

  at::Generator inner;
};

struct Hooks final : at::CUDAHooksInterface {
  explicit Hooks(const at::CUDAHooksArgs&) {}
  void init() const override {}
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasCUDA() const override { return true; }
  int getNumGPUs() const override { return 1; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::DeviceIndex current_device() const override { return 0; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  void setCurrentDevice(c10::DeviceIndex) const override {}
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
  c10::DeviceIndex exchangeDevice(c10::DeviceIndex) const override { return 0; }
  c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex) const override { return 0; }
  const at::Generator& getDefaultGenerator(c10::DeviceIndex) const override {
    static at::Generator generator = at::make_generator<Generator>(at::detail::createCPUGenerator());
    return generator;
  }
  at::Generator getNewGenerator(c10::DeviceIndex) const override {
    return at::make_generator<Generator>(at::detail::createCPUGenerator());
  }
  c10::Device getDeviceFromPtr(void*) const override { return kDevice; }
  bool isPinnedPtr(const void* pointer) const override { return PinnedAllocator::holds(pointer); }
  c10::Allocator* getPinnedMemoryAllocator() const override { return &pinnedAllocator; }
  c10::Allocator* getCUDADeviceAllocator() const override { return &deviceAllocator; }
  void deviceSynchronize(c10::DeviceIndex) const override { hostWaits("synchronize device"); }
};

// ---------------------------------------------------------------------------------------------------- graphs
/// What was recorded: an operator with its arguments in the host's mapping, and where its new tensors lie.
struct Recorded {
  c10::OperatorHandle op;
  torch::jit::Stack arguments;
  std::vector<std::pair<size_t, c10::Storage>> results;  ///< which of the results' tensors goes where
};

struct Capture {
  std::vector<Recorded> tape;
  std::set<const void*> own;                ///< memory that was allocated while capturing
  std::map<const void*, int64_t> borrowed;  ///< memory from before, with its serial number
};
Capture* capturing = nullptr;

bool Guard::isStreamCapturing(const c10::Stream&) const { return capturing != nullptr; }

void hostWaits(const std::string& what) {
  TORCH_CHECK(!capturing, "pretend: the host waits (", what, ") while a graph is captured");
  counts().wait(what);
  arrivals().land();
}

// ---------------------------------------------------------------------------------------------------- operators
/// Those of which the host needs a result, to know a shape or to raise an error.
bool waitsOnDevice(const std::string& name, const torch::jit::Stack& arguments) {
  static const std::set<std::string> waiting{"aten::nonzero",      "aten::masked_select",      "aten::equal",
                                             "aten::_unique2",     "aten::unique_consecutive", "aten::bincount",
                                             "aten::unique_dim",   "aten::is_nonzero",         "aten::histc",
                                             "aten::_linalg_eigh", "aten::linalg_cholesky_ex"};
  if (waiting.count(name)) return true;
  if (name != "aten::index" && name != "aten::_index_put_impl_") return false;
  // With a mask as the index.
  for (const auto& index : arguments[1].toList())
    if (const auto v = index.get();
        v.isTensor() && v.toTensor().defined() &&
        (v.toTensor().scalar_type() == at::kBool || v.toTensor().scalar_type() == at::kByte))
      return true;
  return false;
}

bool onDevice(const at::Tensor& t) { return t.defined() && t.device().type() == kType; }

/// The arguments of one call as tensors of the CPU over the same memory, and the way back.
class Aliases {
 public:
  explicit Aliases(const c10::OperatorHandle& op) : op_(op) {}

  c10::IValue of(const c10::IValue& value) {
    if (value.isTensor()) return of(value.toTensor());
    if (value.isTensorList()) {
      c10::List<at::Tensor> list;
      for (const at::Tensor& t : value.toTensorList()) list.push_back(of(t));
      return list;
    }
    if (value.isOptionalTensorList()) {
      c10::List<std::optional<at::Tensor>> list;
      for (const std::optional<at::Tensor>& t : value.toOptionalTensorList())
        list.push_back(t ? std::optional(of(*t)) : std::nullopt);
      return list;
    }
    if (value.isDevice() && value.toDevice().type() == kType) return c10::Device(c10::kCPU);
    if (value.isGenerator()) {
      auto* own = dynamic_cast<Generator*>(value.toGenerator().unsafeGetGeneratorImpl());
      TORCH_CHECK(own, "pretend: ", op_.schema().name(), " is given a generator of another device");
      return own->inner;
    }
    return value;
  }

  at::Tensor of(const at::Tensor& t) {
    if (!t.defined()) return t;
    if (!onDevice(t)) {
      TORCH_CHECK(t.device().is_cpu() && t.dim() == 0 && op_.hasTag(at::Tag::pointwise),
                  "pretend: ", op_.schema().name(), " got a tensor ", t.sizes(), " on ", t.device(),
                  " beside tensors on ", kDevice);
      return t;
    }
    const auto& storage = t.storage();
    if (capturing && storage.data() && !capturing->own.count(storage.data()))
      capturing->borrowed[storage.data()] = Arena::get().serial(storage.data());
    c10::DataPtr memory(Arena::get().host(storage.data()), c10::Device(c10::kCPU));
    c10::Storage view(c10::Storage::use_byte_size_t(), storage.nbytes(), std::move(memory),
                      c10::GetAllocator(c10::kCPU),
                      /*resizable=*/true);
    at::Tensor alias = at::detail::make_tensor<c10::TensorImpl>(std::move(view),
                                                                c10::DispatchKeySet(c10::DispatchKey::CPU), t.dtype());
    alias.unsafeGetTensorImpl()->set_sizes_and_strides(t.sizes(), t.strides(), t.storage_offset());
    pairs_.emplace_back(alias, t);
    return alias;
  }

  /// A result on the device. New memory of the device goes to `made`, with its place among the results.
  at::Tensor back(const at::Tensor& result, size_t place, std::vector<std::pair<size_t, c10::Storage>>& made) const {
    if (!result.defined() || !result.device().is_cpu()) return result;
    for (const auto& [alias, original] : pairs_) {
      if (!alias.is_same(result)) continue;
      if (result.sizes() == original.sizes()) return original;
      original.resize_(result.sizes());  // an out= argument that had no room
      std::memcpy(Arena::get().host(original.data_ptr()), result.data_ptr(), result.nbytes());
      made.emplace_back(place, original.storage());
      return original;
    }
    for (const auto& [alias, original] : pairs_)
      if (alias.storage().unsafeGetStorageImpl() == result.storage().unsafeGetStorageImpl())
        return tensorOver(original.storage(), result);
    const size_t bytes = result.storage().nbytes();
    c10::Storage storage(c10::Storage::use_byte_size_t(), bytes, deviceAllocator.allocate(bytes), &deviceAllocator,
                         /*resizable=*/true);
    if (bytes) std::memcpy(Arena::get().host(storage.data()), result.storage().data(), bytes);
    made.emplace_back(place, storage);
    return tensorOver(storage, result);
  }

 private:
  static at::Tensor tensorOver(const c10::Storage& storage, const at::Tensor& like) {
    at::Tensor t = at::detail::make_tensor<c10::TensorImpl>(c10::Storage(storage), kKeys, like.dtype());
    t.unsafeGetTensorImpl()->set_sizes_and_strides(like.sizes(), like.strides(), like.storage_offset());
    return t;
  }

  const c10::OperatorHandle& op_;
  std::vector<std::pair<at::Tensor, at::Tensor>> pairs_;
};

void callOnCpu(const c10::OperatorHandle& op, torch::jit::Stack& stack) {
  at::AutoDispatchBelowAutograd belowAutograd;
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), &stack);
}

/// Calls `change` for each tensor among the results, with its place.
template <class F>
void forResults(torch::jit::Stack& stack, F&& change) {
  size_t place = 0;
  for (auto& value : stack) {
    if (value.isTensor()) {
      value = change(value.toTensor(), place++);
    } else if (value.isTensorList()) {
      c10::List<at::Tensor> list;
      for (const at::Tensor& t : value.toTensorList()) list.push_back(change(t, place++));
      value = list;
    }
  }
}

void compute(const c10::OperatorHandle& op, c10::DispatchKeySet, torch::jit::Stack* stack) {
  const std::string& name = op.schema().name();
  const size_t count = op.schema().arguments().size();
  torch::jit::Stack own(stack->end() - static_cast<int64_t>(count), stack->end());
  if (waitsOnDevice(name, own)) hostWaits(name);
  counts().op(name);
  Aliases aliases(op);
  for (auto& value : own) value = aliases.of(value);
  Recorded recorded{op, own, {}};
  callOnCpu(op, own);
  forResults(own, [&](const at::Tensor& t, size_t place) { return aliases.back(t, place, recorded.results); });
  if (capturing) {
    for (const auto& [place, storage] : recorded.results)
      if (storage.data()) capturing->own.insert(storage.data());
    capturing->tape.push_back(std::move(recorded));
  }
  stack->resize(stack->size() - count);
  stack->insert(stack->end(), own.begin(), own.end());
}

void noteAllocation(const at::Tensor& t) {
  if (!capturing || !t.storage().data()) return;
  // The graph's memory lives as long as the graph: an entry without an operator keeps it.
  capturing->own.insert(t.storage().data());
  static const auto nothing = c10::Dispatcher::singleton().findSchemaOrThrow("aten::empty", "memory_format");
  capturing->tape.push_back({nothing, {}, {{0, t.storage()}}});
}

at::Tensor emptyMemoryFormat(at::IntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                             std::optional<at::Device>, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  at::Tensor t = at::detail::empty_generic(size, &deviceAllocator, kKeys, c10::dtype_or_default(dtype), format);
  noteAllocation(t);
  return t;
}

at::Tensor emptyStrided(at::IntArrayRef size, at::IntArrayRef stride, std::optional<at::ScalarType> dtype,
                        std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>) {
  at::Tensor t = at::detail::empty_strided_generic(size, stride, &deviceAllocator, kKeys, c10::dtype_or_default(dtype));
  noteAllocation(t);
  return t;
}

at::Tensor& copy(at::Tensor& target, const at::Tensor& self, bool nonBlocking) {
  static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("aten::copy_", "");
  const at::Tensor& hostSide = onDevice(target) ? self : target;
  const bool pinned = hostSide.device().is_cpu() && PinnedAllocator::holds(hostSide.const_data_ptr());
  Aliases aliases(op);
  if (!onDevice(target)) {
    const at::Tensor value = aliases.of(self);
    if (nonBlocking && pinned) {
      TORCH_CHECK(!capturing, "pretend: a copy to the host while a graph is captured");
      arrivals().add(target, value.clone());
    } else {
      hostWaits("copy to the host");
      at::AutoDispatchBelowAutograd belowAutograd;
      target.copy_(value);
    }
    return target;
  }
  if (onDevice(self))
    counts().op("aten::copy_");
  else if (!(nonBlocking && pinned))
    hostWaits("copy from the host");
  torch::jit::Stack stack{aliases.of(target), onDevice(self) ? aliases.of(self) : self, nonBlocking};
  Recorded recorded{op, stack, {}};
  callOnCpu(op, stack);
  if (capturing) capturing->tape.push_back(std::move(recorded));
  return target;
}

at::Scalar localScalar(const at::Tensor& self) {
  hostWaits("item");
  static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("aten::_local_scalar_dense", "");
  return at::_local_scalar_dense(Aliases(op).of(self));
}

void grow(const c10::Storage& storage, size_t bytes) {
  auto grown = deviceAllocator.allocate(bytes);
  if (storage.nbytes()) deviceAllocator.copy_data(grown.mutable_get(), storage.data(), storage.nbytes());
  storage.unsafeGetStorageImpl()->set_data_ptr_noswap(std::move(grown));
  storage.unsafeGetStorageImpl()->set_nbytes(bytes);
}

const at::Tensor& resize(const at::Tensor& self, at::IntArrayRef size, std::optional<at::MemoryFormat> format) {
  auto* impl = self.unsafeGetTensorImpl();
  if (self.sizes() != size) {
    impl->set_sizes_contiguous(size);
    const size_t bytes = static_cast<size_t>(self.numel() + self.storage_offset()) * self.itemsize();
    if (bytes > self.storage().nbytes()) grow(self.storage(), bytes);
  }
  if (format) impl->empty_tensor_restride(*format);
  return self;
}

at::Tensor& setStorage(at::Tensor& self, at::Storage source, int64_t offset, at::IntArrayRef size,
                       at::IntArrayRef stride) {
  self.unsafeGetTensorImpl()->set_storage_keep_dtype(std::move(source));
  self.unsafeGetTensorImpl()->set_sizes_and_strides(size, stride, offset);
  return self;
}

at::Tensor asStrided(const at::Tensor& self, at::IntArrayRef size, at::IntArrayRef stride,
                     std::optional<int64_t> offset) {
  return at::native::as_strided_tensorimpl(self, size, stride, offset);
}
at::Tensor reshapeAlias(const at::Tensor& self, at::IntArrayRef size, at::IntArrayRef stride) {
  return at::native::as_strided_tensorimpl(self, size, stride, std::nullopt);
}

/// The CPU has no fused cell. (Cho et al. 2014: reset gate, update gate, candidate; the second result is for the
/// backward pass, which no test takes.)
std::tuple<at::Tensor, at::Tensor> fusedGruCell(const at::Tensor& inputGates, const at::Tensor& hiddenGates,
                                                const at::Tensor& hidden, const std::optional<at::Tensor>& inputBias,
                                                const std::optional<at::Tensor>& hiddenBias) {
  const auto i = (inputGates + *inputBias).chunk(3, 1), h = (hiddenGates + *hiddenBias).chunk(3, 1);
  const at::Tensor reset = (i[0] + h[0]).sigmoid(), update = (i[1] + h[1]).sigmoid();
  const at::Tensor candidate = (i[2] + reset * h[2]).tanh();
  return {(1 - update) * candidate + update * hidden, at::empty({0}, hidden.options())};
}

TORCH_LIBRARY_IMPL(_, CUDA, m) { m.fallback(torch::CppFunction::makeFromBoxedFunction<&compute>()); }

TORCH_LIBRARY_IMPL(aten, CUDA, m) {
  m.impl("empty.memory_format", &emptyMemoryFormat);
  m.impl("empty_strided", &emptyStrided);
  m.impl("copy_", &copy);
  m.impl("_local_scalar_dense", &localScalar);
  m.impl("resize_", &resize);
  m.impl("set_.source_Storage_storage_offset", &setStorage);
  m.impl("as_strided", &asStrided);
  m.impl("_reshape_alias", &reshapeAlias);
  m.impl("view", &at::native::view);
  m.impl("_thnn_fused_gru_cell", &fusedGruCell);
  m.impl("unfold", &at::native::unfold);
  // CUDA has kernels of its own for these, and without them libtorch would take formulas over other operators.
  for (const char* name :
       {"convolution", "convolution_backward", "native_group_norm", "native_group_norm_backward", "native_layer_norm",
        "native_layer_norm_backward", "native_batch_norm", "native_batch_norm_backward", "embedding_dense_backward"})
    m.impl(name, torch::CppFunction::makeFromBoxedFunction<&compute>());
}

#ifdef PRETEND_GRAPHS
struct Graph final : at::GraphImplInterface {
  explicit Graph(const at::GraphImplArgs&) {}
  ~Graph() override {
    if (capturing == &capture_) capturing = nullptr;
  }
  void capture_begin(at::MempoolId_t, at::GraphCaptureMode) override {
    TORCH_CHECK(!capturing, "pretend: another graph is being captured");
    TORCH_CHECK(currentStream != 0, "pretend: graphs are captured on another stream than the default one");
    TORCH_CHECK(capture_.tape.empty(), "pretend: the graph was captured already");
    capturing = &capture_;
  }
  void capture_end() override {
    TORCH_CHECK(capturing == &capture_, "pretend: this graph is not being captured");
    capturing = nullptr;
  }
  void instantiate() override {}
  void replay() override {
    TORCH_CHECK(!capturing, "pretend: a replay while a graph is captured");
    counts().op("replay");
    for (const auto& [address, serial] : capture_.borrowed)
      TORCH_CHECK(Arena::get().serial(address) == serial, "pretend: the graph uses memory that was freed");
    for (const auto& entry : capture_.tape) {
      if (entry.arguments.empty()) continue;
      torch::jit::Stack stack = entry.arguments;
      callOnCpu(entry.op, stack);
      forResults(stack, [&](const at::Tensor& t, size_t place) {
        for (const auto& [which, storage] : entry.results) {
          if (which != place || storage.nbytes() == 0) continue;
          TORCH_CHECK(t.storage().nbytes() == storage.nbytes(), "pretend: a replay made another shape");
          std::memcpy(Arena::get().host(storage.data()), t.storage().data(), storage.nbytes());
        }
        return t;
      });
    }
  }
  void reset() override { capture_ = {}; }
  at::MempoolId_t pool() const override { return {0, 1}; }
  void enable_debug_mode() override {}
  void debug_dump(const std::string&) override {}

 private:
  Capture capture_;
};
#endif

// ---------------------------------------------------------------------------------------------------- Node
napi_value toJs(napi_env env, const std::map<std::string, int64_t>& numbers) {
  napi_value out;
  napi_create_object(env, &out);
  for (const auto& [name, number] : numbers) {
    napi_value value;
    napi_create_int64(env, number, &value);
    napi_set_named_property(env, out, name.c_str(), value);
  }
  return out;
}

napi_value readCounts(napi_env env, napi_callback_info) {
  std::lock_guard<std::mutex> lock(counts().mutex);
  napi_value out;
  napi_create_object(env, &out);
  napi_set_named_property(env, out, "operators", toJs(env, counts().operators));
  napi_set_named_property(env, out, "waits", toJs(env, counts().waits));
  return out;
}

napi_value resetCounts(napi_env env, napi_callback_info) {
  std::lock_guard<std::mutex> lock(counts().mutex);
  counts().operators.clear();
  counts().waits.clear();
  return nullptr;
}

}  // namespace

namespace at {
C10_REGISTER_TYPED_CLASS(CUDAHooksRegistry, "CUDAHooks", Hooks)
#ifdef PRETEND_GRAPHS
C10_REGISTER_TYPED_CLASS(GraphImplRegistry, "CUDA", Graph)
#endif
}  // namespace at
static c10::AllocatorRegisterer<kType> registerAllocator(&deviceAllocator);

extern "C" __attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  for (const auto& [name, fn] : {std::pair{"counts", &readCounts}, std::pair{"reset", &resetCounts}}) {
    napi_value value;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, fn, nullptr, &value);
    napi_set_named_property(env, exports, name, value);
  }
  return exports;
}
