// What the kernels share that are written in instructions of AVX-512. Only for a file of such kernels.
#pragma once

#include "../core/simd.h"

#ifdef LDM_AVX512
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12 warns of its own intrinsics
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#define LDM_AVX512_INLINE LDM_AVX512 inline __attribute__((always_inline))
/// For functions that are called only where hasBf16().
#define LDM_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#define LDM_BF16_INLINE LDM_BF16 inline __attribute__((always_inline))

namespace ldm {

namespace {

/// Sixteen registers of sixteen values as a matrix, turned around.
LDM_AVX512_INLINE void transpose(__m512* r) {
  __m512 t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int b = 0; b < 16; b += 4)
    for (int j = 0; j < 2; ++j) {
      const __m512d low = _mm512_castps_pd(t[b + j]), high = _mm512_castps_pd(t[b + j + 2]);
      r[b + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
      r[b + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
    }
  for (int j = 0; j < 4; ++j) {
    const __m512 a = _mm512_shuffle_f32x4(r[j], r[4 + j], 0x88), b = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0x88);
    const __m512 c = _mm512_shuffle_f32x4(r[j], r[4 + j], 0xdd), d = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0xdd);
    t[j] = _mm512_shuffle_f32x4(a, b, 0x88);
    t[8 + j] = _mm512_shuffle_f32x4(a, b, 0xdd);
    t[4 + j] = _mm512_shuffle_f32x4(c, d, 0x88);
    t[12 + j] = _mm512_shuffle_f32x4(c, d, 0xdd);
  }
  for (int i = 0; i < 16; ++i) r[i] = t[i];
}

/// Sums of the even and the odd quarters of two registers.
LDM_AVX512_INLINE __m512 folded(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
}

/// The sum of each of sixteen registers.
LDM_AVX512_INLINE __m512 totals(const float* registers) {
  __m512 half[8], quarter[4], eighth[2];
  for (int i = 0; i < 8; ++i) {
    const __m512 a = _mm512_loadu_ps(registers + 2 * i * kLanes), b = _mm512_loadu_ps(registers + (2 * i + 1) * kLanes);
    half[i] = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
  }
  for (int i = 0; i < 4; ++i) {
    const __m512d a = _mm512_castps_pd(half[2 * i]), b = _mm512_castps_pd(half[2 * i + 1]);
    quarter[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)), _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
  }
  for (int i = 0; i < 2; ++i) eighth[i] = folded(quarter[2 * i], quarter[2 * i + 1]);
  return folded(eighth[0], eighth[1]);
}

LDM_AVX512_INLINE __m512 loadWide(const float* from) { return _mm512_loadu_ps(from); }
LDM_AVX512_INLINE __m512 loadWide(const Bf16Bits* from) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

/// Rounds to nearest, ties to even; NaN stays NaN.
/// @tparam kBf16 whether hasBf16(): the instruction for it takes denormal numbers for zeros
template <bool kBf16>
LDM_AVX512_INLINE void storeNarrow(__m512 v, Bf16Bits* to) {
  if constexpr (kBf16) {
    __m256i narrow;
    asm("vcvtneps2bf16 %1, %0" : "=v"(narrow) : "v"(v));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), narrow);
    return;
  }
  __m512i rounded = _mm512_castps_si512(v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(rounded, 16), _mm512_set1_epi32(1));
  rounded = _mm512_srli_epi32(_mm512_add_epi32(_mm512_add_epi32(rounded, odd), _mm512_set1_epi32(0x7fff)), 16);
  rounded = _mm512_mask_mov_epi32(rounded, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), _mm512_set1_epi32(0x7fc0));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(rounded));
}

/// sigmoid(v), to 1e-4 of it: 2^n times a polynomial of degree 5 for the exponential, an approximate inverse.
LDM_AVX512_INLINE __m512 roughSigmoid(__m512 v) {
  const __m512 t = _mm512_mul_ps(v, _mm512_set1_ps(-1.44269504f));
  const __m512 n = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), f = _mm512_sub_ps(t, n);
  __m512 p = _mm512_set1_ps(1.3333558e-3f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(9.6181291e-3f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.5504109e-2f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.4022651e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.9314718e-1f));
  const __m512 one = _mm512_set1_ps(1.f);
  p = _mm512_fmadd_ps(p, f, one);
  return _mm512_rcp14_ps(_mm512_add_ps(one, _mm512_scalef_ps(p, n)));
}

inline bool hasBf16() { return hasAvx512() && __builtin_cpu_supports("avx512bf16"); }

/// Adds a[2i] b[2i] + a[2i + 1] b[2i + 1] to each of `sums`: _mm512_dpbf16_ps, around which GCC 12 would copy its sums.
LDM_BF16_INLINE void addPairs(__m512& sums, __m512i a, __m512i b) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(sums) : "v"(a), "v"(b));
}

}  // namespace

}  // namespace ldm

#endif
