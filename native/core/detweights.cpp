#include "detweights.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>

#include "error.h"

namespace ldm {

namespace {

constexpr uint64_t kGolden = 0x9E3779B97F4A7C15ULL;

uint64_t fnv1a64(const std::string& text) {
  uint64_t h = 0xCBF29CE484222325ULL;
  for (unsigned char byte : text) h = (h ^ byte) * 0x100000001B3ULL;
  return h;
}

uint64_t splitmix64(uint64_t z) {
  z ^= z >> 30;
  z *= 0xBF58476D1CE4E5B9ULL;
  z ^= z >> 27;
  z *= 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

bool endsWith(const std::string& text, const char* suffix) {
  const std::string s(suffix);
  return text.size() >= s.size() && text.compare(text.size() - s.size(), s.size(), s) == 0;
}

struct Rule {
  double offset, bound;
};

Rule ruleFor(const std::string& name, at::IntArrayRef shape) {
  const size_t dims = shape.size();
  if (endsWith(name, "running_var")) return {1.0, 0.5};
  if (endsWith(name, "running_mean")) return {0.0, 0.1};
  if (endsWith(name, ".scale") && dims == 4) return {1.0, 0.2};
  if (endsWith(name, ".loc") && dims == 4) return {0.0, 0.1};
  if (dims == 0) return {0.0, 0.1};
  if (dims == 1) return endsWith(name, "weight") ? Rule{1.0, 0.2} : Rule{0.0, 0.1};
  int64_t fanIn = 1;
  for (size_t i = 1; i < dims; i++) fanIn *= shape[i];
  const bool vgg = name.find("perceptual_loss.net.") != std::string::npos || name.rfind("net.", 0) == 0;
  return {0.0, fanIn > 0 ? std::sqrt((vgg ? 6.0 : 3.0) / static_cast<double>(fanIn)) : 0.0};
}

}  // namespace

at::Tensor detWeights(const std::string& name, at::IntArrayRef shape, uint64_t seed) {
  for (int64_t size : shape)
    if (size < 0) invalid("Expected a shape without negative sizes for '" + name + "'");
  const Rule rule = ruleFor(name, shape);
  const uint64_t start = fnv1a64(name) ^ (seed * kGolden);
  at::Tensor out = at::empty(shape, at::TensorOptions().dtype(at::kFloat));
  float* values = out.mutable_data_ptr<float>();
  at::parallel_for(0, out.numel(), 1 << 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const uint64_t z = splitmix64(start + (static_cast<uint64_t>(i) + 1) * kGolden);
      const double unit = (static_cast<double>(z >> 40) + 0.5) * 0x1p-23 - 1.0;
      const double scaled = unit * rule.bound;
      values[i] = static_cast<float>(rule.offset + scaled);
    }
  });
  return out;
}

}  // namespace ldm
