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

#include <cstdint>

namespace ldm {
/// Channels that the inner loops take at a time: one register of AVX-512, two of AVX2.
constexpr int64_t kLanes = 16;
}  // namespace ldm
