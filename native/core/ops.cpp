#include "ops.h"

#include <ATen/ATen.h>
#include <ATen/detail/CUDAHooksInterface.h>

#include <map>

#include "backend.h"
#include "detweights.h"
#include "random.h"

namespace ldm {

namespace {

const Value& arg(const List& args, size_t i) {
  static const Value null;
  return i < args.size() ? args[i] : null;
}

// Creation functions have no tensor argument that tells whether this is the shape check; the caller appends "meta".
at::Device creationDevice(const List& args, size_t i) {
  const auto& name = arg(args, i).asString("device");
  return name == "meta" ? at::Device(at::kMeta) : parseDevice(name);
}

at::Tensor self(const List& args) { return arg(args, 0).asTensor("tensor"); }
int64_t integer(const List& args, size_t i, const char* what) { return arg(args, i).asInteger(what); }
std::vector<int64_t> ints(const List& args, size_t i, const char* what) { return arg(args, i).asInts(what); }

at::OptionalIntArrayRef optionalDims(const Value& v, std::vector<int64_t>& storage) {
  if (v.isNull()) return c10::nullopt;
  storage = v.asInts("dims");
  return at::OptionalIntArrayRef(storage);
}

bool keepdim(const List& args) { return arg(args, 2).isBool() && arg(args, 2).asBool(); }

template <class TensorFn, class ScalarFn>
TensorOp binary(TensorFn tensorFn, ScalarFn scalarFn) {
  return {[=](const List& args) -> at::Tensor {
    const Value& other = arg(args, 1);
    if (other.isTensor()) return tensorFn(self(args), other.asTensor());
    if (other.isInteger()) return scalarFn(self(args), at::Scalar(other.asInteger()));
    return scalarFn(self(args), at::Scalar(other.asNumber("operand")));
  }};
}

// Some functions have no shape function for the meta device in libtorch; these stand in for it.
at::Tensor indexSelectShape(const at::Tensor& t, int64_t dim, const at::Tensor& index) {
  if (index.dim() > 1 || (index.scalar_type() != at::kLong && index.scalar_type() != at::kInt))
    invalid("Expected one dimension of int64 or int32 indices but received " + Value(index).describe());
  auto shape = t.sizes().vec();
  shape[static_cast<size_t>(c10::maybe_wrap_dim(dim, t.dim()))] = index.numel();
  return at::empty(shape, t.options());
}

at::Tensor flipShape(const at::Tensor& t, at::IntArrayRef dims) {
  for (int64_t dim : dims) c10::maybe_wrap_dim(dim, t.dim());
  return at::empty_like(t);
}

template <class F>
TensorOp unary(F fn) {
  return {[=](const List& args) -> at::Tensor { return fn(self(args)); }};
}

at::TensorOptions creationOptions(const List& args, size_t dtypeIndex) {
  return at::TensorOptions()
      .dtype(dtypeFromName(arg(args, dtypeIndex).asString("dtype")))
      .device(creationDevice(args, dtypeIndex + 1));
}

std::map<std::string, TensorOp> makeOps() {
  std::map<std::string, TensorOp> ops;
  // creation: [..., dtype, device]
  ops["full"] = {[](const List& a) -> at::Tensor {
    return at::full(ints(a, 0, "shape"), arg(a, 1).asNumber("value"), creationOptions(a, 2));
  }};
  ops["arange"] = {[](const List& a) -> at::Tensor {
    auto options = creationOptions(a, 3);
    return at::arange(arg(a, 0).asNumber("start"), arg(a, 1).asNumber("end"), arg(a, 2).asNumber("step"), options);
  }};
  ops["randn"] = {[](const List& a) -> at::Tensor {
    auto options = creationOptions(a, 1);
    if (options.device().is_meta()) return at::empty(ints(a, 0, "shape"), options);
    return randn(ints(a, 0, "shape"), options);
  }};
  ops["rand"] = {[](const List& a) -> at::Tensor {
    auto options = creationOptions(a, 1);
    if (options.device().is_meta()) return at::empty(ints(a, 0, "shape"), options);
    return rand(ints(a, 0, "shape"), options);
  }};
  ops["randint"] = {[](const List& a) -> at::Tensor {
    auto options = creationOptions(a, 3);
    if (options.device().is_meta()) return at::empty(ints(a, 2, "shape"), options);
    return randint(integer(a, 0, "low"), integer(a, 1, "high"), ints(a, 2, "shape"), options);
  }};
  ops["detweights"] = {[](const List& a) -> at::Tensor {
    auto shape = ints(a, 1, "shape");
    if (creationDevice(a, 4).is_meta()) return at::empty(shape, at::TensorOptions().device(at::kMeta));
    return detWeights(arg(a, 0).asString("name"), shape, static_cast<uint64_t>(integer(a, 2, "seed")));
  }};
  // shape
  auto view = [](TensorOp op) {
    op.view = true;
    return op;
  };
  ops["reshape"] = view({[](const List& a) { return self(a).reshape(ints(a, 1, "shape")); }});
  ops["permute"] = view({[](const List& a) { return self(a).permute(ints(a, 1, "dims")); }});
  ops["slice"] = view({[](const List& a) {
    return self(a).slice(integer(a, 1, "dim"), integer(a, 2, "start"), integer(a, 3, "end"), integer(a, 4, "step"));
  }});
  ops["select"] = view({[](const List& a) { return self(a).select(integer(a, 1, "dim"), integer(a, 2, "index")); }});
  ops["squeeze"] = view({[](const List& a) { return self(a).squeeze(integer(a, 1, "dim")); }});
  ops["unsqueeze"] = view({[](const List& a) { return self(a).unsqueeze(integer(a, 1, "dim")); }});
  ops["expand"] = view({[](const List& a) { return self(a).expand(ints(a, 1, "shape")); }});
  ops["detach"] = view({[](const List& a) { return self(a).detach(); }});
  ops["contiguous"] = {[](const List& a) { return self(a).contiguous(); }};
  ops["flip"] = {[](const List& a) {
    const at::Tensor t = self(a);
    return t.is_meta() ? flipShape(t, ints(a, 1, "dims")) : t.flip(ints(a, 1, "dims"));
  }};
  ops["clone"] = {[](const List& a) { return self(a).clone(); }};
  ops["index_select"] = {[](const List& a) {
    const at::Tensor t = self(a);
    const at::Tensor& index = arg(a, 2).asTensor("index");
    const int64_t dim = integer(a, 1, "dim");
    return t.is_meta() ? indexSelectShape(t, dim, index) : t.index_select(dim, index);
  }};
  ops["cat"] = {[](const List& a) { return at::cat(arg(a, 0).asTensors("tensors"), integer(a, 1, "dim")); }};
  ops["stack"] = {[](const List& a) { return at::stack(arg(a, 0).asTensors("tensors"), integer(a, 1, "dim")); }};
  // arithmetic
  ops["add"] = binary([](auto x, auto y) { return x.add(y); }, [](auto x, auto y) { return x.add(y); });
  ops["sub"] = binary([](auto x, auto y) { return x.sub(y); }, [](auto x, auto y) { return x.sub(y); });
  ops["mul"] = binary([](auto x, auto y) { return x.mul(y); }, [](auto x, auto y) { return x.mul(y); });
  ops["div"] = binary([](auto x, auto y) { return x.div(y); }, [](auto x, auto y) { return x.div(y); });
  ops["pow"] = binary([](auto x, auto y) { return x.pow(y); }, [](auto x, auto y) { return x.pow(y); });
  ops["eq"] = binary([](auto x, auto y) { return x.eq(y); }, [](auto x, auto y) { return x.eq(y); });
  ops["matmul"] = {[](const List& a) { return self(a).matmul(arg(a, 1).asTensor("other")); }};
  ops["neg"] = unary([](auto x) { return x.neg(); });
  ops["abs"] = unary([](auto x) { return x.is_meta() ? at::empty_like(x) : x.abs(); });
  ops["sqrt"] = unary([](auto x) { return x.sqrt(); });
  ops["exp"] = unary([](auto x) { return x.exp(); });
  ops["log"] = unary([](auto x) { return x.log(); });
  ops["round"] = unary([](auto x) { return x.round(); });
  ops["clamp"] = {[](const List& a) {
    auto bound = [&](size_t i) -> std::optional<at::Scalar> {
      if (arg(a, i).isNull()) return std::nullopt;
      if (arg(a, i).isInteger()) return at::Scalar(arg(a, i).asInteger());
      return at::Scalar(arg(a, i).asNumber("bound"));
    };
    return self(a).clamp(bound(1), bound(2));
  }};
  // reductions
  ops["sum"] = {[](const List& a) {
    std::vector<int64_t> dims;
    return self(a).sum(optionalDims(arg(a, 1), dims), keepdim(a));
  }};
  ops["mean"] = {[](const List& a) {
    std::vector<int64_t> dims;
    return self(a).mean(optionalDims(arg(a, 1), dims), keepdim(a));
  }};
  ops["std"] = {[](const List& a) {
    std::vector<int64_t> dims;
    const at::Tensor t = self(a);
    const auto over = optionalDims(arg(a, 1), dims);
    return t.is_meta() ? t.mean(over, keepdim(a)) : t.std(over, at::Scalar(1), keepdim(a));
  }};
  ops["amin"] = {[](const List& a) {
    std::vector<int64_t> dims;
    auto d = optionalDims(arg(a, 1), dims);
    return self(a).amin(d ? *d : at::IntArrayRef{}, keepdim(a));
  }};
  ops["amax"] = {[](const List& a) {
    std::vector<int64_t> dims;
    auto d = optionalDims(arg(a, 1), dims);
    return self(a).amax(d ? *d : at::IntArrayRef{}, keepdim(a));
  }};
  ops["argmax"] = {[](const List& a) { return self(a).argmax(integer(a, 1, "dim")); }};
  // conversion and autograd
  ops["to"] = {[](const List& a) {
    at::Tensor t = self(a);
    auto dtype = arg(a, 1).isNull() ? t.scalar_type() : dtypeFromName(arg(a, 1).asString("dtype"));
    at::Device device = t.is_meta() || arg(a, 2).isNull() ? t.device() : parseDevice(arg(a, 2).asString("device"));
    return onDevice(t, device).to(dtype);
  }};
  ops["requires_grad_"] = view({[](const List& a) {
    at::Tensor t = self(a);
    bool on = arg(a, 1).asBool("requiresGrad");
    if (on && !t.is_floating_point())
      invalid(std::string("Only floating point tensors can require gradients, but this one is ") +
              dtypeName(t.scalar_type()));
    return t.set_requires_grad(on);
  }});
  return ops;
}

const std::map<std::string, TensorOp>& ops() {
  static const std::map<std::string, TensorOp> table = makeOps();
  return table;
}

const std::map<std::string, at::ScalarType>& dtypes() {
  static const std::map<std::string, at::ScalarType> table{
      {"float32", at::kFloat}, {"float64", at::kDouble}, {"float16", at::kHalf}, {"bfloat16", at::kBFloat16},
      {"int64", at::kLong},    {"int32", at::kInt},      {"int16", at::kShort},  {"int8", at::kChar},
      {"uint8", at::kByte},    {"bool", at::kBool}};
  return table;
}

}  // namespace

const TensorOp& findOp(const std::string& name) {
  auto it = ops().find(name);
  if (it == ops().end()) throw LdmError("ERR_UNKNOWN_METHOD", "There is no tensor function '" + name + "'");
  return it->second;
}

std::vector<std::string> opNames() {
  std::vector<std::string> names;
  for (const auto& [name, op] : ops()) names.push_back(name);
  return names;
}

at::Device deviceOfOp(const std::string& name, const List& args, const std::vector<at::Device>& tensorDevices) {
  if (name == "to" && !arg(args, 2).isNull()) return parseDevice(arg(args, 2).asString("device"));
  if (!tensorDevices.empty()) return tensorDevices.front();
  for (const auto& a : args)
    if (a.isString() && (a.asString() == "cpu" || a.asString().rfind("cuda", 0) == 0)) return parseDevice(a.asString());
  return at::kCPU;
}

at::ScalarType dtypeFromName(const std::string& name) {
  auto it = dtypes().find(name);
  if (it != dtypes().end()) return it->second;
  std::string known;
  for (const auto& [n, d] : dtypes()) known += (known.empty() ? "" : ", ") + n;
  invalid("Expected a dtype (" + known + ") but received '" + name + "'");
}

const char* dtypeName(at::ScalarType dtype) {
  for (const auto& [name, type] : dtypes())
    if (type == dtype) return name.c_str();
  return c10::toString(dtype);
}

at::Device parseDevice(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  if (name.rfind("cuda", 0) != 0)
    throw LdmError("ERR_DEVICE", "Expected a device such as 'cpu', 'cuda' or 'cuda:1' but received '" + name + "'");
  int64_t index = 0;
  if (name.size() > 4) {
    char* end = nullptr;
    index = std::strtol(name.c_str() + 5, &end, 10);
    if (name[4] != ':' || name.size() == 5 || *end != 0 || index < 0)
      throw LdmError("ERR_DEVICE", "Expected a device such as 'cuda:1' but received '" + name + "'");
  }
  if (!at::hasCUDA())
    throw LdmError("ERR_DEVICE", "The device '" + name +
                                     "' was asked for, but this libtorch finds no CUDA device. Use 'cpu', or install a "
                                     "driver and a CUDA build of libtorch (`ldm doctor` tells what is missing)");
  auto count = static_cast<int64_t>(at::detail::getCUDAHooks().deviceCount());
  if (index >= count)
    throw LdmError("ERR_DEVICE", "The device '" + name + "' was asked for, but there are " + std::to_string(count) +
                                     " CUDA devices, numbered from 0");
  return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
}

}  // namespace ldm
