// What attention and its gradient share.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include "../core/full_precision.h"
#include "../core/simd.h"

namespace ldm {

/// How many of n queries over m keys are taken at a time: so that their scores have room in the second-level cache,
/// where that is at least 64.
inline int64_t queryBlock(int64_t n, int64_t m) {
  constexpr int64_t kHeldScores = int64_t{1} << 17, kFewestRows = 64;
  return std::min(n, std::max(kFewestRows, kHeldScores / m));
}

/// scores[m] -> exp(scale * (scores - the largest)), in place. @return their sum
LDM_INLINE float exponentiate(float* scores, int64_t m, float scale) {
  float largest[kLanes], sum[kLanes] = {};
  std::fill_n(largest, kLanes, -std::numeric_limits<float>::infinity());
  const int64_t whole = m - m % kLanes;
  for (int64_t i = 0; i < whole; i += kLanes)
    for (int64_t k = 0; k < kLanes; ++k) largest[k] = scores[i + k] > largest[k] ? scores[i + k] : largest[k];
  for (int64_t i = whole; i < m; ++i) largest[0] = scores[i] > largest[0] ? scores[i] : largest[0];
  float top = largest[0];
  for (int64_t k = 1; k < kLanes; ++k) top = largest[k] > top ? largest[k] : top;
  for (int64_t i = 0; i < whole; i += kLanes)
    for (int64_t k = 0; k < kLanes; ++k) {
      const float e = exponential(scale * (scores[i + k] - top));
      scores[i + k] = e;
      sum[k] += e;
    }
  float total = 0;
  for (int64_t i = whole; i < m; ++i) total += scores[i] = exponential(scale * (scores[i] - top));
  for (int64_t k = 0; k < kLanes; ++k) total += sum[k];
  return total;
}

/// head(i) for `count` heads: side by side where they occupy all threads, else one after another with the threads
/// inside the products.
template <class Head>
void forEachHead(int64_t count, const Head& head) {
  if (count < at::get_num_threads()) {
    for (int64_t i = 0; i < count; ++i) head(i);
    return;
  }
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    const FullPrecision noAutocast;  // these two are the thread's own
    const at::NoGradGuard noGradient;
    for (int64_t i = begin; i < end; ++i) head(i);
  });
}

}  // namespace ldm
