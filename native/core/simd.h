// Loops over channels are written in plain C++ for the compiler to vectorize; on x86 it makes several versions of a
// function, of which the processor's best is taken when the addon is loaded.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define LDM_SIMD __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define LDM_SIMD
#endif
/// For what such a function calls: inlined, it is compiled for the same processor.
#if defined(__GNUC__)
#define LDM_INLINE inline __attribute__((always_inline))
#else
#define LDM_INLINE inline
#endif

#if defined(__x86_64__) && defined(__GNUC__)
/// For functions that are written in instructions of AVX-512 and called only where hasAvx512().
#define LDM_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#endif

#include <bit>
#include <cmath>
#include <cstdint>

namespace ldm {
/// Channels that the inner loops take at a time: one register of AVX-512, two of AVX2.
constexpr int64_t kLanes = 16;

#ifdef LDM_AVX512
inline bool hasAvx512() {
  static const bool all = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return all;
}
#endif

/// bfloat16 as its bits, for loops that the compiler vectorizes.
using Bf16Bits = uint16_t;

LDM_INLINE float widen(float v) { return v; }
LDM_INLINE float widen(Bf16Bits v) { return std::bit_cast<float>(static_cast<uint32_t>(v) << 16); }

/// Rounds to nearest, ties to even; NaN stays NaN.
template <class T>
LDM_INLINE T narrow(float v) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return v;
  } else {
    const uint32_t bits = std::bit_cast<uint32_t>(v), rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    return static_cast<Bf16Bits>((bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : rounded);
  }
}

/// exp(x) after Cephes: reduced to |r| <= ln 2 / 2, a polynomial of degree 6 there, relative error below 2e-7.
LDM_INLINE float exponential(float x) {
  x = x < -87.f ? -87.f : x;
  x = x > 88.f ? 88.f : x;
  const float n = std::floor(x * 1.44269504f + 0.5f);
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.f;
  return p * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
}

}  // namespace ldm
