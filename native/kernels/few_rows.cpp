#include "few_rows.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "avx512.h"

#ifdef LDM_AVX512

namespace ldm {

namespace {

/// The block of sums that is held in registers: rows of x by rows of the weights (output channels).
constexpr int64_t kRows = 6, kOuts = 4;
/// Numbers in a register.
constexpr int64_t kStep = 2 * kLanes;
/// Numbers of a row that are taken at a time, where there are more than twice as many; and of the weights, so that they
/// stay in the first-level cache together with those that come next.
constexpr int64_t kPart = 512, kHeldWeights = int64_t{1} << 13;
constexpr int64_t kMostRows = 32;

/// Adds the products of `count` numbers of kTall rows of x and of kOuts rows of w, each `step` after the one before, to
/// sums[row of x][row of w][kLanes], or begins them.
/// @param next where kFetch other rows of weights begin, which are fetched
template <int64_t kTall, int64_t kFetch, size_t... block, size_t... out>
LDM_BF16_INLINE void multiply(const Bf16Bits* x, const Bf16Bits* w, int64_t step, int64_t count, float* sums,
                              bool begun, const Bf16Bits* next, std::index_sequence<block...>,
                              std::index_sequence<out...>) {
  __m512 s[kTall * kOuts];
  if (begun)
    ((s[block] = _mm512_loadu_ps(sums + block * kLanes)), ...);
  else
    ((s[block] = _mm512_setzero_ps()), ...);
  for (int64_t i = 0; i < count; i += kStep) {
    const __m512i weights[kOuts] = {_mm512_loadu_si512(w + out * step + i)...};
    ((out < kFetch ? _mm_prefetch(next + out * step + i, _MM_HINT_T0) : void()), ...);
    __m512i values = _mm512_setzero_si512();
    ((block % kOuts == 0 ? void(values = _mm512_loadu_si512(x + block / kOuts * step + i)) : void(),
      addPairs(s[block], values, weights[block % kOuts])),
     ...);
  }
  (_mm512_storeu_ps(sums + block * kLanes, s[block]), ...);
}
template <int64_t kTall, int64_t kFetch>
LDM_BF16 void multiplyRows(const Bf16Bits* x, const Bf16Bits* w, int64_t step, int64_t count, float* sums, bool begun,
                           const Bf16Bits* next) {
  multiply<kTall, kFetch>(x, w, step, count, sums, begun, next, std::make_index_sequence<kTall * kOuts>(),
                          std::make_index_sequence<kOuts>());
}
using Multiply = decltype(&multiplyRows<1, 0>);
template <int64_t kFetch>
constexpr std::array<Multiply, kRows> byRows = {multiplyRows<1, kFetch>, multiplyRows<2, kFetch>,
                                                multiplyRows<3, kFetch>, multiplyRows<4, kFetch>,
                                                multiplyRows<5, kFetch>, multiplyRows<6, kFetch>};
/// By how many rows of weights are fetched, and by the rows of x. Three are never a tile's share.
constexpr std::array<std::array<Multiply, kRows>, kOuts + 1> kMultiply = {byRows<0>, byRows<1>, byRows<2>, byRows<2>,
                                                                          byRows<4>};

struct Task {
  const Bf16Bits *x, *w;
  const float* bias;  ///< or null
  Bf16Bits* y;
  int64_t rows, depth, outs;
  int64_t part, block;  ///< numbers of a row, and output channels, that are taken at a time
};

/// Output channels [begin, end), multiples of kOuts.
LDM_BF16 void product(const Task& t, int64_t begin, int64_t end) {
  const int64_t tiles = (t.rows + kRows - 1) / kRows, fetched = (kOuts + tiles - 1) / tiles;
  const int64_t padded = (t.rows + 3) / 4 * 4;
  std::vector<float> sums(static_cast<size_t>(t.block * padded * kLanes));
  for (int64_t first = begin; first < end; first += t.block) {
    const int64_t last = std::min(end, first + t.block);
    for (int64_t from = 0; from < t.depth; from += t.part) {
      const int64_t count = std::min(t.part, t.depth - from);
      // what comes next: the rows' next part, or the first part of the rows of the next block
      const int64_t ahead = from + t.part < t.depth ? t.part : t.block * t.depth - from;
      for (int64_t o = first; o < last; o += kOuts)
        for (int64_t tile = 0; tile < tiles; ++tile) {
          const int64_t row = t.rows * tile / tiles, tall = t.rows * (tile + 1) / tiles - row;
          const int64_t share = std::clamp<int64_t>(kOuts - tile * fetched, 0, fetched);
          const Bf16Bits* weights = t.w + o * t.depth + from;
          kMultiply[share][tall - 1](t.x + row * t.depth + from, weights, t.depth, count,
                                     sums.data() + ((o - first) * padded + row * kOuts) * kLanes, from > 0,
                                     weights + ahead + tile * fetched * t.depth);
        }
    }
    for (int64_t o = first; o < last; o += kOuts) {
      const __m512 offset = t.bias ? _mm512_broadcast_f32x4(_mm_loadu_ps(t.bias + o)) : _mm512_setzero_ps();
      for (int64_t row = 0; row < t.rows; row += 4) {
        const __m512 values = totals(sums.data() + ((o - first) * padded + row * kOuts) * kLanes);
        Bf16Bits rounded[kLanes];
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(rounded),
                            reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_add_ps(values, offset))));
        for (int64_t r = 0; r < std::min<int64_t>(4, t.rows - row); ++r)
          std::copy_n(rounded + r * kOuts, kOuts, t.y + (row + r) * t.outs + o);
      }
    }
  }
}

}  // namespace

bool fewRowsSuit(const at::Tensor& x, const at::Tensor& weight) {
  const auto rounded = [](const at::Tensor& t) {
    return t.dim() == 2 && t.scalar_type() == at::kBFloat16 && t.device().is_cpu() && t.is_contiguous();
  };
  return hasBf16() && rounded(x) && rounded(weight) && x.size(0) > 0 && x.size(0) <= kMostRows &&
         x.size(1) == weight.size(1) && x.size(1) % kStep == 0 && x.size(1) > 0 && weight.size(0) % kOuts == 0;
}

at::Tensor fewRowsProduct(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const at::Tensor offset = bias.defined() ? bias.to(at::kFloat).contiguous() : bias;
  at::Tensor y = at::empty({x.size(0), weight.size(0)}, x.options());
  const int64_t depth = x.size(1), part = depth > 2 * kPart ? kPart : depth;
  const Task task{.x = static_cast<const Bf16Bits*>(x.const_data_ptr()),
                  .w = static_cast<const Bf16Bits*>(weight.const_data_ptr()),
                  .bias = offset.defined() ? offset.const_data_ptr<float>() : nullptr,
                  .y = static_cast<Bf16Bits*>(y.mutable_data_ptr()),
                  .rows = x.size(0),
                  .depth = depth,
                  .outs = weight.size(0),
                  .part = part,
                  .block = std::max<int64_t>(1, kHeldWeights / (part * kOuts)) * kOuts};
  const int64_t grain = std::max<int64_t>(1, (int64_t{1} << 18) / (depth * kOuts));
  at::parallel_for(0, task.outs / kOuts, grain,
                   [&](int64_t begin, int64_t end) { product(task, begin * kOuts, end * kOuts); });
  return y;
}

}  // namespace ldm

#else

namespace ldm {

bool fewRowsSuit(const at::Tensor&, const at::Tensor&) { return false; }

at::Tensor fewRowsProduct(const at::Tensor&, const at::Tensor&, const at::Tensor&) {
  TORCH_CHECK(false, "fewRowsProduct needs AVX-512 BF16");
}

}  // namespace ldm

#endif
