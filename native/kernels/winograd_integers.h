// What the fixed-point kernels of Winograd's convolution share: 16-bit integers with the Euclidean norm of what is
// summed, and their products. Only for a file of one of these kernels.
#pragma once

#include "winograd_panels.h"

#ifdef LDM_AVX512

/// For functions that are called only where hasVnni().
#define LDM_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define LDM_VNNI_INLINE LDM_VNNI inline __attribute__((always_inline))

namespace ldm {

namespace {

using Integer = int16_t;

/// The norm of what is multiplied: a little below 2^15, so that no integer leaves its 16 bits.
constexpr float kNorm = 32736.f;

/// The factor that brings numbers with this sum of squares to kNorm.
LDM_VNNI_INLINE __m512 factorFor(__m512 squares) {
  const __m512 zero = _mm512_setzero_ps();
  const __m512 factor = _mm512_div_ps(_mm512_set1_ps(kNorm), _mm512_sqrt_ps(squares));
  return _mm512_mask_mov_ps(factor, _mm512_cmp_ps_mask(squares, zero, _CMP_EQ_OQ), zero);
}
/// Its inverse; not a number where the sum of squares is none.
LDM_VNNI_INLINE __m512 inverseFor(__m512 squares) {
  return _mm512_mul_ps(_mm512_sqrt_ps(squares), _mm512_set1_ps(1 / kNorm));
}

/// Added to a number of less than 2^22, brings its nearest integer to the lower half of the bits.
constexpr float kToInteger = 3.f * (1 << 22);

/// The integers of two rows of numbers times a factor, beside each other: low[0], high[0], low[1], ...
LDM_VNNI_INLINE __m512i interleaved(__m512 low, __m512 high, __m512 factor) {
  const __m512 toInteger = _mm512_set1_ps(kToInteger);
  const __m512i first = _mm512_castps_si512(_mm512_fmadd_ps(low, factor, toInteger));
  const __m512i second = _mm512_castps_si512(_mm512_fmadd_ps(high, factor, toInteger));
  return _mm512_mask_mov_epi16(first, 0xaaaaaaaa, _mm512_slli_epi32(second, 16));
}

/// Lines of the transforms of winograd_transforms.h, on registers: six values from six inputs. An entry of the result
/// is `step` after the one before.
LDM_VNNI_INLINE void inputLine(const __m512* in, __m512* out, int step) {
  const __m512 near = _mm512_set1_ps(kNear), far = _mm512_set1_ps(kFar), near2 = _mm512_set1_ps(kNear2),
               far2 = _mm512_set1_ps(kFar2), product = _mm512_set1_ps(kNear2 * kFar2),
               sum = _mm512_set1_ps(kNear2 + kFar2);
  const __m512 evenNear = _mm512_fnmadd_ps(far2, in[2], in[4]), oddNear = _mm512_fnmadd_ps(far2, in[1], in[3]);
  const __m512 evenFar = _mm512_fnmadd_ps(near2, in[2], in[4]), oddFar = _mm512_fnmadd_ps(near2, in[1], in[3]);
  out[0] = _mm512_fmadd_ps(product, in[0], _mm512_fnmadd_ps(sum, in[2], in[4]));
  out[step] = _mm512_fmadd_ps(near, oddNear, evenNear);
  out[2 * step] = _mm512_fnmadd_ps(near, oddNear, evenNear);
  out[3 * step] = _mm512_fmadd_ps(far, oddFar, evenFar);
  out[4 * step] = _mm512_fnmadd_ps(far, oddFar, evenFar);
  out[5 * step] = _mm512_fmadd_ps(product, in[1], _mm512_fnmadd_ps(sum, in[3], in[5]));
}

/// Two integers that lie beside each other, in every lane.
LDM_VNNI_INLINE __m512i pairOf(const Integer* row) {
  int32_t pair;
  std::memcpy(&pair, row, sizeof(pair));
  return _mm512_set1_epi32(pair);
}

/// Adds a[2i] b[2i] + a[2i + 1] b[2i + 1] to each of `sums`: _mm512_dpwssd_epi32, around which GCC 12 copies its sums
/// to other registers and to memory.
LDM_VNNI_INLINE void addProducts(__m512i& sums, __m512i a, __m512i b) {
  asm("vpdpwssd %2, %1, %0" : "+v"(sums) : "v"(a), "v"(b));
}

inline bool hasVnni() { return hasAvx512() && __builtin_cpu_supports("avx512vnni"); }

}  // namespace

}  // namespace ldm

#endif
