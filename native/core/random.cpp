#include "random.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <sstream>

#include "backend.h"
#include "bernoulli.h"
#include "context.h"

namespace ldm {

namespace {

at::Generator defaultGenerator(const at::Device& device) { return at::globalContext().defaultGenerator(device); }

std::string shapeText(at::IntArrayRef shape) {
  std::ostringstream out;
  out << shape;
  return out.str();
}

Value tapeToValue(const std::vector<std::pair<std::string, at::Tensor>>& items) {
  List list;
  for (const auto& [kind, tensor] : items) list.emplace_back(Map{{"kind", kind}, {"tensor", tensor}});
  return Map{{"items", list}};
}

}  // namespace

void RandomSource::skip(const std::string& kind, at::IntArrayRef shape, const at::TensorOptions& options,
                        double param) {
  if (kind == "randn")
    randn(shape, options);
  else if (kind == "rand")
    rand(shape, options);
  else if (kind == "keepmask")
    keepMask(shape, param, options);
  else
    invalid("Cannot skip random numbers of kind '" + kind + "'");
}

// ---------------------------------------------------------------------------------------------------- generator
GeneratorSource::GeneratorSource(at::Generator generator) : generator_(std::move(generator)) {
  method("seed", [this](const Value& args) -> Value {
    std::lock_guard<std::mutex> lock(generator_.mutex());
    generator_.set_current_seed(static_cast<uint64_t>(args.integer("seed")));
    return {};
  });
  method("getState", [this](const Value&) -> Value {
    std::lock_guard<std::mutex> lock(generator_.mutex());
    return Map{{"state", generator_.get_state()}};
  });
  method("setState", [this](const Value& args) -> Value {
    std::lock_guard<std::mutex> lock(generator_.mutex());
    generator_.set_state(args.tensor("state").cpu());
    return {};
  });
}

std::shared_ptr<GeneratorSource> GeneratorSource::seeded(uint64_t seed, at::Device device) {
  at::Generator generator = defaultGenerator(device).clone();
  generator.set_current_seed(seed);
  return std::make_shared<GeneratorSource>(generator);
}

at::TensorOptions GeneratorSource::own(const at::TensorOptions& options) const {
  return options.device(generator_.device());
}
at::Tensor GeneratorSource::randn(at::IntArrayRef shape, const at::TensorOptions& options) {
  return onDevice(at::randn(shape, generator_, own(options)), options.device());
}
at::Tensor GeneratorSource::rand(at::IntArrayRef shape, const at::TensorOptions& options) {
  return onDevice(at::rand(shape, generator_, own(options)), options.device());
}
at::Tensor GeneratorSource::randint(int64_t low, int64_t high, at::IntArrayRef shape,
                                    const at::TensorOptions& options) {
  return onDevice(at::randint(low, high, shape, generator_, own(options).dtype(at::kLong)), options.device());
}
at::Tensor GeneratorSource::exponential(at::IntArrayRef shape, const at::TensorOptions& options) {
  return onDevice(at::empty(shape, own(options)).exponential_(1.0, generator_), options.device());
}
at::Tensor GeneratorSource::keepMask(at::IntArrayRef shape, double p, const at::TensorOptions& options) {
  const at::Tensor mask = at::empty(shape, own(options));
  if (mask.scalar_type() == at::kFloat && bernoulliSuits(generator_))
    bernoulli(mask, 1.0 - p, generator_);
  else
    mask.bernoulli_(1.0 - p, generator_);
  return onDevice(mask, options.device());
}
void GeneratorSource::skip(const std::string& kind, at::IntArrayRef shape, const at::TensorOptions& options,
                           double param) {
  if (kind == "keepmask" && bernoulliSuits(generator_))
    skipBernoulli(c10::multiply_integers(shape), generator_);
  else
    RandomSource::skip(kind, shape, options, param);
}
void GeneratorSource::uniform_(at::Tensor& t, double low, double high) {
  if (t.device() == generator_.device())
    t.uniform_(low, high, generator_);
  else
    t.copy_(at::empty(t.sizes(), own(t.options())).uniform_(low, high, generator_));
}
void GeneratorSource::normal_(at::Tensor& t, double mean, double std) {
  if (t.device() == generator_.device())
    t.normal_(mean, std, generator_);
  else
    t.copy_(at::empty(t.sizes(), own(t.options())).normal_(mean, std, generator_));
}

// ---------------------------------------------------------------------------------------------------- tape
TapeSource::TapeSource(std::vector<Item> items) : items_(std::move(items)) {
  method("finish", [this](const Value&) -> Value {
    finish();
    return {};
  });
  method("remaining", [this](const Value&) -> Value { return items_.size() - next_; });
}

at::Tensor TapeSource::take(const char* kind, at::IntArrayRef shape, const at::TensorOptions& options) {
  if (next_ >= items_.size())
    throw LdmError("ERR_TAPE", "The tape holds " + std::to_string(items_.size()) + " random draws, but a further " +
                                   kind + " of shape " + shapeText(shape) + " is needed");
  const auto& [found, numbers] = items_[next_];
  const at::Tensor& tensor = numbers.get();
  if (found != kind || tensor.sizes() != shape)
    throw LdmError("ERR_TAPE", "Draw " + std::to_string(next_) + " of the tape is a " + found + " of shape " +
                                   shapeText(tensor.sizes()) + ", but a " + kind + " of shape " + shapeText(shape) +
                                   " is needed");
  ++next_;
  return tensor.to(options, /*non_blocking=*/false, /*copy=*/true);
}
at::Tensor TapeSource::randn(at::IntArrayRef shape, const at::TensorOptions& options) {
  return take("randn", shape, options);
}
at::Tensor TapeSource::rand(at::IntArrayRef shape, const at::TensorOptions& options) {
  return take("rand", shape, options);
}
at::Tensor TapeSource::randint(int64_t low, int64_t high, at::IntArrayRef shape, const at::TensorOptions& options) {
  at::Tensor t = take("randint", shape, options.dtype(at::kLong));
  if (t.numel() && (t.min().item<int64_t>() < low || t.max().item<int64_t>() >= high))
    throw LdmError("ERR_TAPE", "Draw " + std::to_string(next_ - 1) + " of the tape has integers outside of [" +
                                   std::to_string(low) + ", " + std::to_string(high) + ")");
  return t;
}
at::Tensor TapeSource::exponential(at::IntArrayRef shape, const at::TensorOptions& options) {
  return take("exponential", shape, options);
}
at::Tensor TapeSource::keepMask(at::IntArrayRef shape, double, const at::TensorOptions& options) {
  return take("keepmask", shape, options);
}
void TapeSource::uniform_(at::Tensor& t, double low, double high) {
  t.uniform_(low, high, defaultGenerator(t.device()));
}
void TapeSource::normal_(at::Tensor& t, double mean, double std) { t.normal_(mean, std, defaultGenerator(t.device())); }
void TapeSource::finish() const {
  if (next_ != items_.size())
    throw LdmError("ERR_TAPE", "The tape has " + std::to_string(items_.size() - next_) + " of " +
                                   std::to_string(items_.size()) + " random draws left over; the next is a " +
                                   items_[next_].first + " of shape " + shapeText(items_[next_].second.get().sizes()));
}

// ---------------------------------------------------------------------------------------------------- recorder
RecorderSource::RecorderSource(std::shared_ptr<RandomSource> inner) : inner_(std::move(inner)) {
  method("tape", [this](const Value&) -> Value { return tapeToValue(items_); });
}
at::Tensor RecorderSource::keep(const char* kind, at::Tensor t) {
  items_.emplace_back(kind, t.detach().clone());
  return t;
}
at::Tensor RecorderSource::randn(at::IntArrayRef shape, const at::TensorOptions& options) {
  return keep("randn", inner_->randn(shape, options));
}
at::Tensor RecorderSource::rand(at::IntArrayRef shape, const at::TensorOptions& options) {
  return keep("rand", inner_->rand(shape, options));
}
at::Tensor RecorderSource::randint(int64_t low, int64_t high, at::IntArrayRef shape, const at::TensorOptions& options) {
  return keep("randint", inner_->randint(low, high, shape, options));
}
at::Tensor RecorderSource::exponential(at::IntArrayRef shape, const at::TensorOptions& options) {
  return keep("exponential", inner_->exponential(shape, options));
}
at::Tensor RecorderSource::keepMask(at::IntArrayRef shape, double p, const at::TensorOptions& options) {
  at::Tensor mask = inner_->keepMask(shape, p, options);
  items_.emplace_back("keepmask", mask.detach().to(at::kByte));
  return mask;
}
void RecorderSource::uniform_(at::Tensor& t, double low, double high) { inner_->uniform_(t, low, high); }
void RecorderSource::normal_(at::Tensor& t, double mean, double std) { inner_->normal_(t, mean, std); }

// ---------------------------------------------------------------------------------------------------- functions
RandomSource& randomFor(const at::Device& device) {
  if (context().random) return *context().random;
  thread_local std::shared_ptr<GeneratorSource> fallback;
  if (!fallback || fallback->generator().device() != device)
    fallback = std::make_shared<GeneratorSource>(defaultGenerator(device));
  return *fallback;
}

at::Tensor randn(at::IntArrayRef shape, const at::TensorOptions& options) {
  return randomFor(options.device()).randn(shape, options);
}
at::Tensor randnLike(const at::Tensor& t) { return randn(t.sizes(), t.options().requires_grad(false)); }
at::Tensor rand(at::IntArrayRef shape, const at::TensorOptions& options) {
  return randomFor(options.device()).rand(shape, options);
}
at::Tensor randint(int64_t low, int64_t high, at::IntArrayRef shape, const at::TensorOptions& options) {
  return randomFor(options.device()).randint(low, high, shape, options);
}
at::Tensor exponential(at::IntArrayRef shape, const at::TensorOptions& options) {
  return randomFor(options.device()).exponential(shape, options);
}
at::Tensor dropout(const at::Tensor& x, double p, bool training) {
  if (!training || p == 0.0) return x;
  at::Tensor mask = randomFor(x.device()).keepMask(x.sizes(), p, x.options().requires_grad(false));
  return x * mask.div_(1.0 - p);
}

void initUniform(at::Tensor t, double low, double high) {
  if (context().init != InitMode::Random) return;
  at::NoGradGuard guard;
  randomFor(t.device()).uniform_(t, low, high);
}
void initNormal(at::Tensor t, double mean, double std) {
  if (context().init != InitMode::Random) return;
  at::NoGradGuard guard;
  randomFor(t.device()).normal_(t, mean, std);
}
void initConstant(at::Tensor t, double value) {
  at::NoGradGuard guard;
  t.fill_(value);
}
void initKaimingUniform(at::Tensor t) {
  int64_t fanIn = t.size(0) ? t.numel() / t.size(0) : 1;
  // gain = sqrt(2 / (1 + 5)); bound = sqrt(3) * gain / sqrt(fan_in), written as PyTorch writes it
  double std = std::sqrt(2.0 / 6.0) / std::sqrt(static_cast<double>(fanIn));
  double bound = std::sqrt(3.0) * std;
  initUniform(t, -bound, bound);
}

}  // namespace ldm
