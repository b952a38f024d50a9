#include "bernoulli.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include "simd.h"

namespace ldm {

namespace {

constexpr int64_t kState = at::MERSENNE_STATE_N, kMiddle = at::MERSENNE_STATE_M;

LDM_INLINE uint32_t twisted(uint32_t u, uint32_t v) {
  return (((u & 0x80000000u) | (v & 0x7fffffffu)) >> 1) ^ ((v & 1u) != 0 ? 0x9908b0dfu : 0u);
}

/// The state's successor. Each loop reads ahead of what it writes, or more numbers behind it than a register holds.
LDM_SIMD void advance(uint32_t* s) {
#pragma GCC ivdep
  for (int64_t i = 0; i < kState - kMiddle; ++i) s[i] = s[i + kMiddle] ^ twisted(s[i], s[i + 1]);
#pragma GCC ivdep
  for (int64_t i = kState - kMiddle; i < kState - 1; ++i) s[i] = s[i + kMiddle - kState] ^ twisted(s[i], s[i + 1]);
  s[kState - 1] = s[kMiddle - 1] ^ twisted(s[kState - 1], s[0]);
}

LDM_INLINE uint32_t tempered(uint32_t y) {
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

/// Whether the 53 bits of a number in [0, 1) that two draws make are less than `limit`.
LDM_INLINE bool isLess(uint32_t high, uint32_t low, uint64_t limit) {
  return ((static_cast<uint64_t>(tempered(high) & 0x1fffffu) << 32) | tempered(low)) < limit;
}

LDM_SIMD void compare(const uint32_t* state, uint64_t limit, float* mask, int64_t count) {
  for (int64_t i = 0; i < count; ++i) mask[i] = isLess(state[2 * i], state[2 * i + 1], limit) ? 1.f : 0.f;
}

/// The generator's engine while numbers are drawn from it.
class Engine {
 public:
  explicit Engine(at::Generator& generator)
      : lock_(generator.mutex()),
        generator_(at::check_generator<at::CPUGeneratorImpl>(generator)),
        data_(generator_->engine().data()) {}
  ~Engine() {
    at::mt19937 engine;
    engine.set_data(data_);
    generator_->set_engine(engine);
  }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Numbers that are left of the state, of which there is at least one.
  int64_t left() {
    if (data_.left_ == 1) {
      advance(data_.state_.data());
      data_.next_ = 0;
      data_.left_ = kState + 1;
    }
    return data_.left_ - 1;
  }
  /// The next ones; they are to be used before more are asked for.
  const uint32_t* take(int64_t count) {
    const uint32_t* numbers = data_.state_.data() + data_.next_;
    data_.next_ += static_cast<uint32_t>(count);
    data_.left_ -= static_cast<int>(count);
    return numbers;
  }

 private:
  std::lock_guard<std::mutex> lock_;
  at::CPUGeneratorImpl* generator_;
  at::mt19937_data_pod data_;
};

}  // namespace

bool bernoulliSuits(const at::Generator& generator) {
#if defined(__x86_64__)
  static const bool intel = __builtin_cpu_is("intel");
#else
  constexpr bool intel = false;
#endif
  return generator.device().is_cpu() && !intel;
}

void bernoulli(const at::Tensor& mask, double p, at::Generator& generator) {
  const auto limit = static_cast<uint64_t>(std::ceil(std::ldexp(p, 53)));
  float* target = mask.mutable_data_ptr<float>();
  Engine engine(generator);
  for (int64_t i = 0; i < mask.numel();) {
    const int64_t left = engine.left();
    if (left == 1) {  // a number of two states
      const uint32_t high = *engine.take(1);
      engine.left();
      target[i++] = isLess(high, *engine.take(1), limit) ? 1.f : 0.f;
      continue;
    }
    const int64_t count = std::min(left / 2, mask.numel() - i);
    compare(engine.take(2 * count), limit, target + i, count);
    i += count;
  }
}

void skipBernoulli(int64_t count, at::Generator& generator) {
  Engine engine(generator);
  for (int64_t draws = 2 * count; draws > 0;) {
    const int64_t taken = std::min(engine.left(), draws);
    engine.take(taken);
    draws -= taken;
  }
}

}  // namespace ldm
