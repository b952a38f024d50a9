// The verbs of the addon, as lib/native.ts describes them. No mathematics here.
#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/version.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <mutex>

#include "../core/autograd.h"
#include "../core/backend.h"
#include "../core/block_allocator.h"
#include "../core/crc32.h"
#include "../core/mapped_file.h"
#include "../core/module.h"
#include "../core/ops.h"
#include "../core/registry.h"
#include "../kernels/policy.h"
#include "convert.h"
#include "environment.h"
#include "handles.h"
#include "jobs.h"

namespace ldm {

namespace {

using Info = Napi::CallbackInfo;

int64_t bytesOf(const std::shared_ptr<Object>& object) {
  int64_t bytes = 0;
  if (auto module = std::dynamic_pointer_cast<Module>(object))
    for (const auto& entry : module->state())
      if (!entry.tensor.is_meta()) bytes += static_cast<int64_t>(entry.tensor.nbytes());
  return bytes;
}

std::shared_ptr<Module> moduleOf(const Napi::Value& value) {
  auto module = std::dynamic_pointer_cast<Module>(ObjectHandle::get(value).object);
  if (!module) invalid("Expected a module");
  return module;
}

/// Takes the value on the executor thread; a tensor whose computation was dropped counts as aborted.
at::Tensor valueOf(const std::shared_ptr<LazyTensor>& lazy) {
  return resolved(Value(std::make_shared<PendingTensor>(lazy))).asTensor();
}

JobSetup setupFor(const LazyTensor& tensor) {
  JobSetup setup;
  setup.device = tensor.device;
  return setup;
}

// ---------------------------------------------------------------------------------------------------- information
/// Version of the libtorch that was loaded (which may differ from the headers'): 0xMMmmpp00000000.
std::string loadedTorchVersion() {
  uint64_t v = aoti_torch_abi_version();
  return std::to_string(v >> 56 & 255) + "." + std::to_string(v >> 48 & 255) + "." + std::to_string(v >> 40 & 255);
}

Napi::Value info(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    Napi::Object out = Napi::Object::New(i.Env());
    out.Set("torchVersion", loadedTorchVersion());
    out.Set("builtFor", TORCH_VERSION);
    bool cuda = at::hasCUDA();
    out.Set("cuda", cuda);
    Napi::Array devices = Napi::Array::New(i.Env());
    if (cuda)
      for (int d = 0; d < at::detail::getCUDAHooks().deviceCount(); ++d)
        devices.Set(static_cast<uint32_t>(d), "cuda:" + std::to_string(d));
    out.Set("cudaDevices", devices);
    out.Set("threads", Environment::of(i.Env()).executor(at::kCPU)->threads());
    auto list = [&](const std::vector<std::string>& names) {
      Napi::Array array = Napi::Array::New(i.Env(), names.size());
      for (size_t k = 0; k < names.size(); ++k) array.Set(static_cast<uint32_t>(k), names[k]);
      return array;
    };
    out.Set("targets", list(registeredTargets()));
    out.Set("ops", list(opNames()));
    return out;
  });
}

Napi::Value setThreads(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    at::Device device = parseDevice(i[0].ToString());
    int threads = i[1].ToNumber().Int32Value();
    if (threads < 1) invalid("Expected a positive number of threads but received " + std::to_string(threads));
    Environment::of(i.Env()).executor(device)->setThreads(threads);
    return i.Env().Undefined();
  });
}

Napi::Value configureBackend(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    auto options = i[0].As<Napi::Object>();
    const auto given = [&](const char* key) { return !options.Get(key).IsUndefined(); };
    if (given("benchmark")) setBenchmark(options.Get("benchmark").ToBoolean());
    if (given("deterministic")) setDeterministic(options.Get("deterministic").ToBoolean());
    if (given("graphs")) setGraphs(options.Get("graphs").ToBoolean());
    if (given("tf32")) {
      const std::string tf32 = options.Get("tf32").ToString();
      if (tf32 != "off" && tf32 != "convolutions" && tf32 != "all")
        invalid("Expected 'off', 'convolutions' or 'all' for 'tf32' but received '" + tf32 + "'");
      setTf32(tf32 == "off" ? Tf32::Off : tf32 == "all" ? Tf32::All : Tf32::Convolutions);
    }
    return i.Env().Undefined();
  });
}

Napi::Value setFastKernels(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    setKernelPolicy(i[0].ToBoolean() ? KernelPolicy::Fast : KernelPolicy::Exact);
    return i.Env().Undefined();
  });
}

int64_t statusKilobytes(const char* key) {
  std::ifstream file("/proc/self/status");
  std::string line;
  while (std::getline(file, line))
    if (line.rfind(key, 0) == 0) return std::atoll(line.c_str() + std::strlen(key));
  return 0;
}

Napi::Value memoryUsage(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    auto& environment = Environment::of(i.Env());
    Napi::Object out = Napi::Object::New(i.Env());
    out.Set("tensors", static_cast<double>(environment.tensors));
    out.Set("tensorBytes", static_cast<double>(environment.tensorBytes));
    out.Set("objects", static_cast<double>(environment.objects));
    out.Set("objectBytes", static_cast<double>(environment.objectBytes));
    out.Set("jobs", static_cast<double>(environment.pendingJobs()));
    out.Set("rss", static_cast<double>(statusKilobytes("VmRSS:") * 1024));
    out.Set("peakRss", static_cast<double>(statusKilobytes("VmHWM:") * 1024));
    return out;
  });
}

// ---------------------------------------------------------------------------------------------------- tensors
struct Bytes {
  const char* data;
  size_t size;
};

Bytes bytesOfView(const Napi::Value& value) {
  if (value.IsTypedArray()) {
    auto array = value.As<Napi::TypedArray>();
    return {static_cast<const char*>(array.ArrayBuffer().Data()) + array.ByteOffset(), array.ByteLength()};
  }
  if (value.IsDataView()) {
    auto view = value.As<Napi::DataView>();
    return {static_cast<const char*>(view.Data()), view.ByteLength()};
  }
  invalid("Expected a typed array");
}

Napi::Value fromData(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    Bytes bytes = bytesOfView(i[0]);
    auto shape = intsFromJs(i[1], "shape");
    auto dtype = dtypeFromName(i[2].ToString());
    auto device = parseDevice(i[3].ToString());
    int64_t numel = 1;
    for (int64_t d : shape) {
      if (d < 0) invalid("Expected sizes of at least 0 in a shape but received " + std::to_string(d));
      if (__builtin_mul_overflow(numel, d, &numel)) invalid("The shape has more elements than can be counted");
    }
    size_t expected = static_cast<size_t>(numel) * c10::elementSize(dtype);
    if (bytes.size != expected)
      invalid("The shape and dtype need " + std::to_string(expected) + " bytes (" + std::to_string(numel) +
              " elements) but the data has " + std::to_string(bytes.size));
    at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(dtype));
    if (bytes.size) std::memcpy(tensor.data_ptr(), bytes.data, bytes.size);
    if (device.is_cpu()) return TensorHandle::make(i.Env(), LazyTensor::of(tensor));

    auto lazy = LazyTensor::of(tensor);
    lazy->device = device;
    auto promise = std::make_shared<std::promise<at::Tensor>>();
    lazy->value = promise->get_future().share();
    JobSetup setup = setupFor(*lazy);
    post(
        i.Env(), setup,
        [tensor, device, promise] {
          try {
            promise->set_value(onDevice(tensor, device));
          } catch (...) {
            promise->set_exception(std::current_exception());
          }
        },
        nullptr);
    return TensorHandle::make(i.Env(), lazy);
  });
}

/// Runs a tensor function on meta tensors.
at::Tensor metaRun(const TensorOp& op, const List& args, bool hasTensors) {
  Value meta = resolvedMeta(Value(args));
  List metaArgs = meta.asList();
  if (!hasTensors)
    for (auto& a : metaArgs)
      if (a.isString() && (a.asString() == "cpu" || a.asString().rfind("cuda", 0) == 0)) a = Value("meta");
  at::NoGradGuard guard;
  at::Tensor out = op.fn(metaArgs);
  return out.is_meta() ? out : at::empty_strided(out.sizes(), out.strides(), out.options().device(at::kMeta));
}

Napi::Value op(const Info& i) {
  return guarded(
      i.Env(),
      [&]() -> Napi::Value {
        const std::string name = i[0].ToString();
        const TensorOp& op = findOp(name);
        const List args = fromJs(i[1]).asList("arguments");
        JobSetup setup = JobSetup::from(i[2], at::kCPU);
        std::vector<at::Device> devices;
        collectDevices(Value(args), devices);
        for (const auto& d : devices)
          if (d != devices.front() && name != "to")
            invalid("Expected tensors on one device but received tensors on " + devices.front().str() + " and " +
                    d.str());
        setup.device = deviceOfOp(name, args, devices);

        auto lazy = std::make_shared<LazyTensor>();
        lazy->meta = metaRun(op, args, !devices.empty());
        lazy->device = setup.device;
        lazy->ownBytes = op.view ? 0 : static_cast<int64_t>(lazy->meta.nbytes());
        if (name == "requires_grad_") {
          lazy->requiresGrad = args[1].asBool();
          TensorHandle::get(i[1].As<Napi::Array>().Get(0u))->requiresGrad = args[1].asBool();
        } else {
          lazy->requiresGrad = setup.grad && name != "detach" && at::isFloatingType(lazy->meta.scalar_type()) &&
                               anyRequiresGrad(Value(args));
        }
        auto promise = std::make_shared<std::promise<at::Tensor>>();
        lazy->value = promise->get_future().share();
        post(
            i.Env(), setup,
            [&op, args, promise] {
              try {
                promise->set_value(op.fn(resolved(Value(args)).asList()));
              } catch (...) {
                promise->set_exception(std::current_exception());
              }
            },
            nullptr);
        return TensorHandle::make(i.Env(), lazy);
      },
      "ERR_INVALID_ARGUMENT");
}

napi_typedarray_type arrayType(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return napi_float32_array;
    case at::kDouble:
      return napi_float64_array;
    case at::kHalf:
    case at::kBFloat16:
      return napi_uint16_array;
    case at::kLong:
      return napi_bigint64_array;
    case at::kInt:
      return napi_int32_array;
    case at::kShort:
      return napi_int16_array;
    case at::kChar:
      return napi_int8_array;
    default:
      return napi_uint8_array;
  }
}

/// A typed array over the tensor's own memory, which it keeps alive.
Napi::Value typedArrayOver(Napi::Env env, const at::Tensor& tensor) {
  Napi::ArrayBuffer buffer;
  if (tensor.nbytes() == 0) {
    buffer = Napi::ArrayBuffer::New(env, 0);
  } else {
    auto* keep = new at::Tensor(tensor);
    buffer = Napi::ArrayBuffer::New(
        env, keep->data_ptr(), keep->nbytes(), [](Napi::BasicEnv, void*, at::Tensor* t) { delete t; }, keep);
  }
  napi_value array = nullptr;
  napi_status status = napi_create_typedarray(env, arrayType(tensor.scalar_type()), static_cast<size_t>(tensor.numel()),
                                              buffer, 0, &array);
  if (status != napi_ok) throw Napi::Error::New(env);
  return Napi::Value(env, array);
}

Napi::Value data(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    auto lazy = TensorHandle::get(i[0]);
    return submit(i.Env(), setupFor(*lazy), [lazy]() -> Finish {
      at::Tensor value = valueOf(lazy);
      at::Tensor own = value.detach().to(at::kCPU).contiguous();
      // JavaScript may write into the array, so it must not be memory that anything else reads.
      if (own.data_ptr() == value.data_ptr()) own = own.clone();
      return [own](Napi::Env env) { return typedArrayOver(env, own); };
    });
  });
}

Napi::Value ready(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    auto lazy = TensorHandle::get(i[0]);
    return submit(i.Env(), setupFor(*lazy), [lazy]() -> Finish {
      valueOf(lazy);
      return [](Napi::Env env) { return env.Undefined(); };
    });
  });
}

Napi::Value backwardOf(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    auto lazy = TensorHandle::get(i[0]);
    std::shared_ptr<LazyTensor> gradient;
    if (!i[1].IsNull() && !i[1].IsUndefined()) gradient = TensorHandle::get(i[1]);
    bool retain = i[2].ToBoolean();
    JobSetup setup = setupFor(*lazy);
    setup.grad = true;
    return submit(i.Env(), setup, [lazy, gradient, retain]() -> Finish {
      at::Tensor loss = valueOf(lazy);
      if (!loss.requires_grad()) invalid("backward() needs a tensor that depends on one with requiresGrad");
      backward(loss, gradient ? valueOf(gradient) : at::Tensor(), retain);
      return [](Napi::Env env) { return env.Undefined(); };
    });
  });
}

Napi::Value gradOf(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    auto lazy = TensorHandle::get(i[0]);
    return submit(i.Env(), setupFor(*lazy), [lazy]() -> Finish {
      at::Tensor gradient = valueOf(lazy).grad();
      return [gradient](Napi::Env env) -> Napi::Value {
        if (!gradient.defined()) return env.Null();
        return TensorHandle::make(env, LazyTensor::of(gradient));
      };
    });
  });
}

// ---------------------------------------------------------------------------------------------------- objects
Napi::Value createObject(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    std::string target = i[0].ToString();
    Value params = fromJs(i[1]);
    JobSetup setup = JobSetup::from(i[2], at::kCPU);
    return submit(
        i.Env(), setup, [target, params, device = setup.device, meta = setup.init == InitMode::Meta]() -> Finish {
          HeldObject held{create(target, resolved(params)), target, device, 0};
          if (auto module = std::dynamic_pointer_cast<Module>(held.object); module && !device.is_cpu() && !meta)
            module->to(device, c10::nullopt);
          held.bytes = bytesOf(held.object);
          return [held](Napi::Env env) -> Napi::Value { return ObjectHandle::make(env, held); };
        });
  });
}

struct Call {
  std::shared_ptr<Object> object;
  std::string method;
  Value args;
  JobSetup setup;
};

Call callFrom(const Info& i) {
  HeldObject& held = ObjectHandle::get(i[0]);
  Call call{held.object, i[1].ToString(), fromJs(i[2]), JobSetup::from(i[3], held.device)};
  call.setup.object = held.object.get();
  if (call.args.isNull()) call.args = Map{};
  return call;
}

Finish finishWith(Value value, at::Device device) {
  return [value = std::move(value), device](Napi::Env env) { return toJs(env, value, device); };
}

Napi::Value callObject(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    Call call = callFrom(i);
    return submit(i.Env(), call.setup, [call]() -> Finish {
      return finishWith(call.object->call(call.method, resolved(call.args)), call.setup.device);
    });
  });
}

Napi::Value runObject(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    Call call = callFrom(i);
    return submitLoop(i.Env(), call.setup, [call](bool& done) -> Finish {
      Value value = call.object->call(call.method, resolved(call.args));
      done = value.isMap() && value.has("done") && value.boolean("done");
      if (call.setup.progressCallback) reportProgress(value);
      return finishWith(std::move(value), call.setup.device);
    });
  });
}

Finish finishEntries(std::vector<Module::Entry> entries) {
  return [entries = std::move(entries)](Napi::Env env) -> Napi::Value {
    Napi::Array out = Napi::Array::New(env, entries.size());
    for (size_t k = 0; k < entries.size(); ++k) {
      Napi::HandleScope scope(env);
      auto lazy = LazyTensor::of(entries[k].tensor);
      lazy->ownBytes = 0;  // the module owns it
      Napi::Object entry = Napi::Object::New(env);
      entry.Set("name", entries[k].name);
      entry.Set("parameter", entries[k].isParameter);
      entry.Set("tensor", TensorHandle::make(env, lazy));
      out.Set(static_cast<uint32_t>(k), entry);
    }
    return out;
  };
}

JobSetup setupFor(const Napi::Value& object) {
  HeldObject& held = ObjectHandle::get(object);
  JobSetup setup;
  setup.device = held.device;
  setup.object = held.object.get();
  return setup;
}

Napi::Value state(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    auto module = moduleOf(i[0]);
    return submit(i.Env(), setupFor(i[0]), [module] { return finishEntries(module->state()); });
  });
}

Napi::Value namedParameters(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    auto module = moduleOf(i[0]);
    return submit(i.Env(), setupFor(i[0]), [module] {
      std::vector<Module::Entry> entries;
      for (auto& [name, tensor] : module->namedParameters()) entries.push_back({name, tensor, true});
      return finishEntries(std::move(entries));
    });
  });
}

struct NamedTensor {
  std::string name;
  std::shared_ptr<LazyTensor> tensor;
};

struct LoadReport {
  std::vector<std::string> missing, unexpected;
  struct Mismatch {
    std::string name;
    std::vector<int64_t> expected, found;
  };
  std::vector<Mismatch> mismatched;

  Value toValue() const {
    auto strings = [](const std::vector<std::string>& names) {
      List list;
      for (const auto& n : names) list.emplace_back(n);
      return list;
    };
    List wrong;
    for (const auto& m : mismatched)
      wrong.emplace_back(
          Map{{"name", m.name}, {"expected", Value::fromInts(m.expected)}, {"found", Value::fromInts(m.found)}});
    return Map{{"missing", strings(missing)}, {"unexpected", strings(unexpected)}, {"mismatched", wrong}};
  }
};

LoadReport loadInto(Module& module, const std::vector<NamedTensor>& given, bool requireAll, bool requireShapes) {
  std::map<std::string, const NamedTensor*> byName;
  for (const auto& g : given) byName[g.name] = &g;
  LoadReport report;
  std::vector<std::pair<at::Tensor, const NamedTensor*>> plan;
  for (const auto& entry : module.state()) {
    auto it = byName.find(entry.name);
    if (it == byName.end()) {
      report.missing.push_back(entry.name);
      continue;
    }
    const NamedTensor* found = it->second;
    byName.erase(it);
    auto sizes = found->tensor->meta.sizes();
    if (sizes != entry.tensor.sizes())
      report.mismatched.push_back({entry.name, entry.tensor.sizes().vec(), sizes.vec()});
    else
      plan.emplace_back(entry.tensor, found);
  }
  for (const auto& g : given)
    if (byName.count(g.name)) report.unexpected.push_back(g.name);
  if (!report.mismatched.empty() && (requireAll || requireShapes)) return report;
  if (requireAll && (!report.missing.empty() || !report.unexpected.empty())) return report;

  at::NoGradGuard guard;
  for (auto& [target, source] : plan) {
    poll();
    copyFromFile(target, valueOf(source->tensor), source->tensor->range);
  }
  module.stateChanged();
  return report;
}

Napi::Value load(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    auto module = moduleOf(i[0]);
    Napi::Object entries = i[1].As<Napi::Object>();
    Napi::Object options = i[2].As<Napi::Object>();
    bool requireAll = options.Get("requireAll").ToBoolean();
    bool requireShapes = options.Get("requireShapes").ToBoolean();
    std::vector<NamedTensor> given;
    Napi::Array names = entries.GetPropertyNames();
    for (uint32_t k = 0; k < names.Length(); ++k) {
      Napi::HandleScope scope(i.Env());
      Napi::Value name = names.Get(k);
      given.push_back({name.As<Napi::String>().Utf8Value(), TensorHandle::get(entries.Get(name))});
    }
    JobSetup setup = setupFor(i[0]);
    return submit(i.Env(), setup, [=]() -> Finish {
      return finishWith(loadInto(*module, given, requireAll, requireShapes).toValue(), setup.device);
    });
  });
}

Napi::Value to(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    auto module = moduleOf(i[0]);
    at::Device device = parseDevice(i[1].ToString());
    std::optional<at::ScalarType> dtype;
    if (!i[2].IsNull() && !i[2].IsUndefined()) dtype = dtypeFromName(i[2].ToString());
    // The handle changes its device when the move is done, so keep it for then.
    auto handle = std::make_shared<Napi::ObjectReference>(Napi::Persistent(i[0].As<Napi::Object>()));
    auto* keep = new std::shared_ptr<Napi::ObjectReference>(std::move(handle));
    return submit(i.Env(), setupFor(i[0]), [module, device, dtype, keep]() -> Finish {
      module->to(device, dtype);
      return [module, device, keep](Napi::Env env) -> Napi::Value {
        Napi::Value object = (*keep)->Value();
        ObjectHandle::update(object, device, bytesOf(module));
        delete keep;
        return env.Undefined();
      };
    });
  });
}

Napi::Value closeObject(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    JobSetup setup = setupFor(i[0]);
    Environment::of(i.Env()).executor(setup.device)->cancel([object = setup.object](const Job& job) {
      return job.object == object;
    });
    // Jobs run in order, so this one settles when the object's running job has ended.
    return submit(i.Env(), setup, []() -> Finish { return [](Napi::Env env) { return env.Undefined(); }; });
  });
}

// ---------------------------------------------------------------------------------------------------- files
Napi::Value mapFile(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    return ObjectHandle::make(i.Env(), {std::make_shared<MappedFile>(i[0].ToString()), "mapped file", at::kCPU, 0});
  });
}

Napi::Value fromFile(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    auto file = std::dynamic_pointer_cast<MappedFile>(ObjectHandle::get(i[0]).object);
    if (!file) invalid("Expected a mapped file");
    Value given = fromJs(i[1]);
    MappedTensorSpec spec;
    spec.byteOffset = given.integer("byteOffset");
    spec.storageNumel = given.integer("storageNumel");
    spec.storageOffset = given.integer("storageOffset");
    spec.shape = given.ints("shape");
    spec.strides = given.ints("strides");
    spec.dtype = dtypeFromName(given.string("dtype"));
    spec.bigEndian = given.has("bigEndian") && given.boolean("bigEndian");
    auto lazy = std::make_shared<LazyTensor>();
    lazy->range = rangeOf(file, spec);
    lazy->meta = at::empty_strided(spec.shape, spec.strides, at::TensorOptions().dtype(spec.dtype).device(at::kMeta));
    auto promise = std::make_shared<std::promise<at::Tensor>>();
    lazy->value = promise->get_future().share();
    post(
        i.Env(), setupFor(*lazy),
        [file, spec, promise] {
          try {
            promise->set_value(tensorFromFile(file, spec));
          } catch (...) {
            promise->set_exception(std::current_exception());
          }
        },
        nullptr);
    return TensorHandle::make(i.Env(), lazy);
  });
}

void writeAll(int fd, const char* data, size_t size) {
  while (size > 0) {
    poll();
    ssize_t n = ::write(fd, data, std::min<size_t>(size, 16 << 20));
    if (n < 0) {
      if (errno == EINTR) continue;
      throw LdmError("ERR_FILE", std::string("Cannot write: ") + std::strerror(errno));
    }
    data += n;
    size -= static_cast<size_t>(n);
  }
}

/// Copies to the CPU and casts; counts finite values that the cast made infinite.
at::Tensor castPiece(const at::Tensor& piece, at::ScalarType dtype, int64_t& overflowed) {
  at::Tensor cast = piece.to(at::TensorOptions().dtype(dtype).device(at::kCPU)).contiguous();
  if (dtype != piece.scalar_type() && at::isFloatingType(dtype) && at::isFloatingType(piece.scalar_type()))
    overflowed +=
        cast.isfinite().logical_not().sum().item<int64_t>() - piece.isfinite().logical_not().sum().item<int64_t>();
  return cast;
}

Napi::Value write(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    int fd = i[0].ToNumber().Int32Value();
    auto lazy = TensorHandle::get(i[1]);
    const bool given = !(i[2].IsNull() || i[2].IsUndefined());
    const at::ScalarType dtype = given ? dtypeFromName(i[2].ToString()) : lazy->meta.scalar_type();
    return submit(i.Env(), setupFor(*lazy), [fd, lazy, dtype]() -> Finish {
      constexpr int64_t kPieceBytes = 32 << 20;
      const at::Tensor value = valueOf(lazy).detach();
      const MappedRange& range = lazy->range;
      const bool viewsFile = range.file && value.numel() > 0 && value.is_contiguous() &&
                             value.data_ptr() == range.file->data() + range.offset;
      const at::Tensor flat = value.contiguous().view(-1);
      const int64_t itemSize = static_cast<int64_t>(flat.element_size());
      const int64_t step = kPieceBytes / itemSize;
      uint32_t crc = 0;
      int64_t written = 0;
      int64_t overflowed = 0;
      for (int64_t begin = 0; begin < flat.numel(); begin += step) {
        const int64_t count = std::min(step, flat.numel() - begin);
        const at::Tensor piece = castPiece(flat.narrow(0, begin, count), dtype, overflowed);
        const char* bytes = static_cast<const char*>(piece.data_ptr());
        crc = crc32(crc, bytes, piece.nbytes());
        writeAll(fd, bytes, piece.nbytes());
        written += static_cast<int64_t>(piece.nbytes());
        // so that a large file does not stay resident
        if (viewsFile) MappedRange{range.file, range.offset, static_cast<size_t>((begin + count) * itemSize)}.drop();
      }
      range.drop();
      return finishWith(Map{{"bytes", written}, {"crc32", static_cast<int64_t>(crc)}, {"overflowed", overflowed}},
                        at::kCPU);
    });
  });
}

// ---------------------------------------------------------------------------------------------------- randomness
Napi::Value generator(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    int64_t seed = fromJs(i[0]).asInteger("seed");
    if (seed < 0) invalid("Expected a seed of at least 0 but received " + std::to_string(seed));
    at::Device device = parseDevice(i[1].ToString());
    return ObjectHandle::make(i.Env(),
                              {GeneratorSource::seeded(static_cast<uint64_t>(seed), device), "generator", device, 0});
  });
}

Napi::Value tape(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    std::vector<TapeSource::Item> items;
    const Value given = fromJs(i[0]);
    for (const auto& item : given.asList("items")) {
      auto pending = item.object<PendingTensor>("tensor");
      items.emplace_back(item.string("kind"), pending->tensor->value);
    }
    return ObjectHandle::make(i.Env(), {std::make_shared<TapeSource>(std::move(items)), "tape", at::kCPU, 0});
  });
}

Napi::Value recorder(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value {
    at::Device device = parseDevice(i[1].ToString());
    std::shared_ptr<RandomSource> inner;
    if (i[0].IsNull() || i[0].IsUndefined())
      inner = std::make_shared<GeneratorSource>(at::globalContext().defaultGenerator(device));
    else
      inner = std::dynamic_pointer_cast<RandomSource>(ObjectHandle::get(i[0]).object);
    if (!inner) invalid("Expected a Generator, Tape or Recorder");
    return ObjectHandle::make(i.Env(), {std::make_shared<RecorderSource>(inner), "recorder", device, 0});
  });
}

Napi::Value cancelToken(const Info& i) {
  return guarded(i.Env(), [&]() -> Napi::Value { return TokenHandle::make(i.Env()); });
}

/// process.exit() and uncaught errors end the main thread without its cleanup hooks; the 'exit' event is the last
/// moment to stop jobs before static data go. Worker threads, which always run their hooks, need no listener, and the
/// main thread one only, however often the addon is loaded.
void stopAtExit(Napi::Env env) {
  static std::once_flag once;
  if (gettid() != getpid()) return;
  std::call_once(once, [env] {
    Napi::Object process = env.Global().Get("process").As<Napi::Object>();
    Napi::Function stop = Napi::Function::New(env, [](const Info&) { Executor::stopAll(); });
    process.Get("on").As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), stop});
  });
}

}  // namespace

Napi::Object init(Napi::Env env, Napi::Object exports) {
  installBlockAllocator();
  env.SetInstanceData(new Environment(env));
  stopAtExit(env);
  TensorHandle::define(env);
  ObjectHandle::define(env);
  TokenHandle::define(env);
  auto verb = [&](const char* name, Napi::Value (*fn)(const Info&)) {
    exports.Set(name, Napi::Function::New(env, fn, name));
  };
  verb("info", info);
  verb("setThreads", setThreads);
  verb("configureBackend", configureBackend);
  verb("setFastKernels", setFastKernels);
  verb("memoryUsage", memoryUsage);
  verb("fromData", fromData);
  verb("op", op);
  verb("data", data);
  verb("ready", ready);
  verb("backward", backwardOf);
  verb("grad", gradOf);
  verb("create", createObject);
  verb("call", callObject);
  verb("run", runObject);
  verb("state", state);
  verb("namedParameters", namedParameters);
  verb("load", load);
  verb("to", to);
  verb("close", closeObject);
  verb("mapFile", mapFile);
  verb("fromFile", fromFile);
  verb("write", write);
  verb("generator", generator);
  verb("tape", tape);
  verb("recorder", recorder);
  verb("cancelToken", cancelToken);
  return exports;
}

}  // namespace ldm

static Napi::Object initAddon(Napi::Env env, Napi::Object exports) { return ldm::init(env, exports); }
NODE_API_MODULE(ldm, initAddon)
