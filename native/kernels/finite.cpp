#include "finite.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <atomic>
#include <bit>

#include "../core/simd.h"

namespace ldm {

namespace {

/// Whether one of them is not: an infinity or not a number, whose exponents' bits are all set.
LDM_SIMD bool anyOther(const float* x, int64_t begin, int64_t end) {
  constexpr uint32_t kExponent = 0x7f800000u;
  uint32_t found = 0;
  for (int64_t i = begin; i < end; ++i) found |= (std::bit_cast<uint32_t>(x[i]) & kExponent) == kExponent ? 1u : 0u;
  return found != 0;
}

}  // namespace

bool allFiniteSuits(const at::Tensor& value) {
  return value.device().is_cpu() && value.layout() == at::kStrided && value.scalar_type() == at::kFloat &&
         value.is_non_overlapping_and_dense();
}

bool allFinite(const at::Tensor& value) {
  constexpr int64_t kGrain = int64_t{1} << 16;
  const float* x = value.const_data_ptr<float>();
  std::atomic<bool> finite{true};
  at::parallel_for(0, value.numel(), kGrain, [&](int64_t begin, int64_t end) {
    if (anyOther(x, begin, end)) finite = false;
  });
  return finite;
}

}  // namespace ldm
