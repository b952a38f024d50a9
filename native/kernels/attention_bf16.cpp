#include "attention_bf16.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "avx512.h"

#ifdef LDM_AVX512

namespace ldm {

namespace {

/// Queries whose products are held in registers, with kGroups times kLanes keys or columns of the values.
constexpr int64_t kRows = 6, kGroups = 4, kPanel = kGroups * kLanes;
/// Keys that a block of queries sees at a time.
constexpr int64_t kKeys = 1024;
constexpr float kLog2E = 1.44269504f;

constexpr int64_t roundedUp(int64_t count, int64_t unit) { return (count + unit - 1) / unit * unit; }
constexpr int64_t pairsOf(int64_t count) { return (count + 1) / 2; }

/// One head: `count` rows of `width` numbers, each `step` numbers after the one before.
struct Rows {
  const Bf16Bits* data;
  int64_t count, width, step;
  const Bf16Bits* row(int64_t i) const { return data + i * step; }
};

LDM_BF16_INLINE __m512i pairAt(const Bf16Bits* from) {
  int32_t pair;
  __builtin_memcpy(&pair, from, sizeof(pair));
  return _mm512_set1_epi32(pair);
}

/// Keys -> panels of kPanel (the last one of a multiple of kLanes) keys: [pair of the width][key][2]. Where there are
/// no more keys the last one is repeated.
LDM_BF16 void packKeys(const Rows& k, Bf16Bits* to) {
  const int64_t pairs = pairsOf(k.width);
  for (int64_t first = 0; first < k.count; first += kPanel) {
    const int64_t keys = std::min(kPanel, roundedUp(k.count - first, kLanes));
    for (int64_t key = 0; key < keys; key += kLanes)
      for (int64_t pair = 0; pair < pairs; pair += kLanes) {
        const int64_t left = k.width - 2 * pair;
        const __mmask32 within = left >= 2 * kLanes ? ~__mmask32{0} : (__mmask32{1} << left) - 1;
        __m512 block[kLanes];
        for (int64_t i = 0; i < kLanes; ++i) {
          const Bf16Bits* row = k.row(std::min(first + key + i, k.count - 1));
          block[i] = _mm512_castsi512_ps(_mm512_maskz_loadu_epi16(within, row + 2 * pair));
        }
        transpose(block);
        for (int64_t p = pair; p < std::min(pairs, pair + kLanes); ++p)
          _mm512_storeu_ps(to + (p * keys + key) * 2, block[p - pair]);
      }
    to += pairs * keys * 2;
  }
}

/// Values -> panels of kPanel (the last one of a multiple of kLanes) columns: [pair of tokens][column][2], with zeros
/// where there are no more.
LDM_BF16 void packValues(const Rows& v, Bf16Bits* to) {
  const int64_t pairs = pairsOf(v.count);
  for (int64_t first = 0; first < v.width; first += kPanel) {
    const int64_t columns = std::min(kPanel, roundedUp(v.width - first, kLanes));
    for (int64_t pair = 0; pair < pairs; ++pair)
      for (int64_t c = 0; c < columns; c += kLanes) {
        const int64_t left = v.width - first - c;
        const auto within = static_cast<__mmask16>(left >= kLanes ? 0xffff : (1 << left) - 1);
        const auto second = static_cast<__mmask16>(2 * pair + 1 < v.count ? within : 0);
        const Bf16Bits* row = v.row(2 * pair) + first + c;
        const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(within, row));
        const __m512i high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(second, row + v.step));
        _mm512_storeu_si512(to + (pair * columns + c) * 2, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
      }
    to += pairs * columns * 2;
  }
}

/// sums[kTall][width of b] += a[kTall][pairs][2] b[pairs][kWide * kLanes][2]: rows of a are `step` apart, those of sums
/// `stride`. @param begun whether sums holds something yet
/// @param block, group the sequences of kTall * kWide and of kWide: indices that are constants from the start are what
/// keeps the sums in registers
template <int64_t kTall, int64_t kWide, size_t... block, size_t... group>
LDM_BF16_INLINE void multiply(const Bf16Bits* a, int64_t step, const Bf16Bits* b, int64_t pairs, float* to,
                              int64_t stride, bool begun, std::index_sequence<block...>,
                              std::index_sequence<group...>) {
  __m512 sums[kTall * kWide];
  if (begun)
    ((sums[block] = _mm512_loadu_ps(to + block / kWide * stride + block % kWide * kLanes)), ...);
  else
    ((sums[block] = _mm512_setzero_ps()), ...);
  for (int64_t p = 0; p < pairs; ++p, b += kWide * kLanes * 2) {
    const __m512i right[kWide] = {_mm512_loadu_si512(b + group * 2 * kLanes)...};
    (addPairs(sums[block], pairAt(a + block / kWide * step + 2 * p), right[block % kWide]), ...);
  }
  (_mm512_storeu_ps(to + block / kWide * stride + block % kWide * kLanes, sums[block]), ...);
}
template <int64_t kTall, int64_t kWide>
LDM_BF16 void multiplyRows(const Bf16Bits* a, int64_t step, const Bf16Bits* b, int64_t pairs, float* to, int64_t stride,
                           bool begun) {
  multiply<kTall, kWide>(a, step, b, pairs, to, stride, begun, std::make_index_sequence<kTall * kWide>(),
                         std::make_index_sequence<kWide>());
}
using Product = decltype(&multiplyRows<1, 1>);

/// 2^x times a number that is 1 to 8e-5: a polynomial of degree 3 for what is beyond the integer below x.
LDM_BF16_INLINE __m512 powerOfTwo(__m512 x) {
  const __m512 f = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  __m512 p = _mm512_set1_ps(0.0780245154f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.226067187f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.695833517f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.999925222f));
  return _mm512_scalef_ps(p, x);
}

LDM_BF16_INLINE float largestOf(const float* scores, int64_t padded) {
  __m512 largest = _mm512_loadu_ps(scores);
  for (int64_t i = kLanes; i < padded; i += kLanes) largest = _mm512_max_ps(largest, _mm512_loadu_ps(scores + i));
  return _mm512_reduce_max_ps(largest);
}

/// scores[m] -> weights[m], 2^(scale * (scores - top)) in bfloat16, with zeros up to a multiple of kLanes.
/// @return their sum
LDM_BF16_INLINE float weigh(const float* scores, Bf16Bits* weights, int64_t m, float scale, float top) {
  const __m512 factor = _mm512_set1_ps(scale), shift = _mm512_set1_ps(scale * top);
  __m512 sum = _mm512_setzero_ps();
  for (int64_t i = 0; i < m; i += kLanes) {
    const auto within = static_cast<__mmask16>(m - i >= kLanes ? 0xffff : (1 << (m - i)) - 1);
    const __m512 power = powerOfTwo(_mm512_fmsub_ps(_mm512_loadu_ps(scores + i), factor, shift));
    const __m512 weight = _mm512_maskz_mov_ps(within, power);
    sum = _mm512_add_ps(sum, weight);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(weights + i), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(weight)));
  }
  return _mm512_reduce_add_ps(sum);
}

/// The packed keys and values of a head.
struct Packed {
  const Bf16Bits *keys, *values;
  int64_t count, width, columns;
};

/// What a thread works in, for blocks of at most `rows` queries.
struct Scratch {
  Scratch(const Packed& head, int64_t rows)
      : queries(static_cast<size_t>(rows * 2 * pairsOf(head.width))),
        weights(static_cast<size_t>(rows * keys(head))),
        scores(static_cast<size_t>(kRows * keys(head))),
        mixed(static_cast<size_t>(rows * roundedUp(head.columns, kLanes))),
        tops(static_cast<size_t>(rows)),
        sums(static_cast<size_t>(rows)) {}
  static int64_t keys(const Packed& head) { return std::min(kKeys, roundedUp(head.count, kLanes)); }
  std::vector<Bf16Bits> queries, weights;
  std::vector<float> scores, mixed, tops, sums;
};

/// The weights of kRows queries, the ones from `row` on, for `count` keys from `first` on. Sums and what is mixed are
/// brought to a new largest score.
LDM_BF16 void weighRows(const Packed& head, int64_t row, int64_t first, int64_t count, float scale, Scratch& s) {
  constexpr Product byGroups[kGroups] = {multiplyRows<kRows, 1>, multiplyRows<kRows, 2>, multiplyRows<kRows, 3>,
                                         multiplyRows<kRows, 4>};
  const int64_t pairs = pairsOf(head.width), stride = Scratch::keys(head), padded = roundedUp(count, kLanes);
  const int64_t columns = roundedUp(head.columns, kLanes);
  for (int64_t j = 0; j < padded; j += kPanel)
    byGroups[std::min(kPanel, padded - j) / kLanes - 1](s.queries.data() + row * 2 * pairs, 2 * pairs,
                                                        head.keys + (first + j) * 2 * pairs, pairs, s.scores.data() + j,
                                                        stride, false);
  for (int64_t r = row; r < row + kRows; ++r) {
    const float* scores = s.scores.data() + (r - row) * stride;
    float top = largestOf(scores, padded);
    float kept = 0;
    if (first > 0) {
      top = std::max(top, s.tops[r]);
      kept = _mm512_cvtss_f32(powerOfTwo(_mm512_set1_ps(scale * (s.tops[r] - top))));
      const __m512 factor = _mm512_set1_ps(kept);
      for (float* at = s.mixed.data() + r * columns; at < s.mixed.data() + (r + 1) * columns; at += kLanes)
        _mm512_storeu_ps(at, _mm512_mul_ps(_mm512_loadu_ps(at), factor));
    }
    s.tops[r] = top;
    const float sum = weigh(scores, s.weights.data() + r * stride, count, scale, top);
    s.sums[r] = first > 0 ? s.sums[r] * kept + sum : sum;
  }
}

/// Adds the weighted values of `count` tokens from `first` on to what is mixed for `rows` queries, a multiple of kRows.
LDM_BF16 void mixRows(const Packed& head, int64_t rows, int64_t first, int64_t count, Scratch& s) {
  constexpr Product byGroups[kGroups] = {multiplyRows<kRows, 1>, multiplyRows<kRows, 2>, multiplyRows<kRows, 3>,
                                         multiplyRows<kRows, 4>};
  constexpr Product narrow[2] = {multiplyRows<2 * kRows, 1>, multiplyRows<2 * kRows, 2>};
  const int64_t columns = roundedUp(head.columns, kLanes), stride = Scratch::keys(head), pairs = pairsOf(head.count);
  for (int64_t c = 0; c < columns; c += kPanel) {
    const int64_t width = std::min(kPanel, columns - c), groups = width / kLanes;
    const Bf16Bits* values = head.values + c * 2 * pairs + first * width;
    for (int64_t row = 0; row < rows;) {
      const bool tall = groups <= 2 && rows - row >= 2 * kRows;
      const Product product = tall ? narrow[groups - 1] : byGroups[groups - 1];
      product(s.weights.data() + row * stride, stride, values, pairsOf(count), s.mixed.data() + row * columns + c,
              columns, first > 0);
      row += tall ? 2 * kRows : kRows;
    }
  }
}

/// `rows` queries over a head -> out, whose rows are `step` apart.
LDM_BF16 void attend(const Rows& q, const Packed& head, float scale, Bf16Bits* out, int64_t step, Scratch& s) {
  const int64_t width = 2 * pairsOf(head.width), rows = roundedUp(q.count, kRows);
  std::fill(s.queries.begin(), s.queries.end(), Bf16Bits{0});
  for (int64_t r = 0; r < q.count; ++r) std::copy_n(q.row(r), q.width, s.queries.data() + r * width);
  for (int64_t first = 0; first < head.count; first += kKeys) {
    const int64_t count = std::min(kKeys, head.count - first);
    for (int64_t row = 0; row < rows; row += kRows) weighRows(head, row, first, count, scale * kLog2E, s);
    mixRows(head, rows, first, count, s);
  }
  const int64_t columns = roundedUp(head.columns, kLanes);
  for (int64_t r = 0; r < q.count; ++r) {
    const __m512 inverse = _mm512_set1_ps(1 / s.sums[r]);
    for (int64_t c = 0; c < head.columns; c += kLanes) {
      const int64_t left = head.columns - c;
      const auto within = static_cast<__mmask16>(left >= kLanes ? 0xffff : (1 << left) - 1);
      const __m512 value = _mm512_mul_ps(_mm512_loadu_ps(s.mixed.data() + r * columns + c), inverse);
      _mm256_mask_storeu_epi16(out + r * step + c, within, reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(value)));
    }
  }
}

Rows headOf(const at::Tensor& t, int64_t i) {
  const int64_t heads = t.size(1);
  return {static_cast<const Bf16Bits*>(t.const_data_ptr()) + i / heads * t.stride(0) + i % heads * t.stride(1),
          t.size(2), t.size(3), t.stride(2)};
}

}  // namespace

bool bf16AttentionAvailable() { return hasBf16(); }

at::Tensor bf16Attention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values, double scale) {
  const auto dense = [](const at::Tensor& t) { return t.stride(3) == 1 ? t : t.contiguous(); };
  const at::Tensor q = dense(queries), k = dense(keys), v = dense(values);
  const int64_t heads = q.size(0) * q.size(1), n = q.size(2), m = k.size(2), d = q.size(3), e = v.size(3);
  at::Tensor out = at::empty({q.size(0), n, q.size(1), e}, v.options().memory_format(std::nullopt)).transpose(1, 2);
  const int64_t keyNumbers = roundedUp(m, kLanes) * 2 * pairsOf(d),
                valueNumbers = roundedUp(e, kLanes) * 2 * pairsOf(m);
  const at::Tensor packed = at::empty({heads * (keyNumbers + valueNumbers)}, v.options().memory_format(std::nullopt));
  auto* memory = static_cast<Bf16Bits*>(packed.mutable_data_ptr());
  const auto packedHead = [&](int64_t i) { return memory + i * (keyNumbers + valueNumbers); };
  at::parallel_for(0, heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      packKeys(headOf(k, i), packedHead(i));
      packValues(headOf(v, i), packedHead(i) + keyNumbers);
    }
  });
  // Wide heads, whose keys and values leave the caches, are read for more queries at a time.
  const int64_t block = d + e <= 256 ? 2 * kRows : 8 * kRows, blocks = (n + block - 1) / block;
  at::parallel_for(0, heads * blocks, 1, [&](int64_t begin, int64_t end) {
    const Packed shape{.keys = nullptr, .values = nullptr, .count = m, .width = d, .columns = e};
    Scratch scratch(shape, block);
    for (int64_t j = begin; j < end; ++j) {
      const int64_t i = j / blocks, first = j % blocks * block;
      Packed head = shape;
      head.keys = packedHead(i);
      head.values = head.keys + keyNumbers;
      Rows own = headOf(q, i);
      own.data += first * own.step;
      own.count = std::min(block, n - first);
      auto* target = static_cast<Bf16Bits*>(out.mutable_data_ptr()) + i / q.size(1) * out.stride(0) +
                     i % q.size(1) * out.stride(1) + first * out.stride(2);
      attend(own, head, static_cast<float>(scale), target, out.stride(2), scratch);
    }
  });
  return out;
}

}  // namespace ldm

#else

namespace ldm {

bool bf16AttentionAvailable() { return false; }

at::Tensor bf16Attention(const at::Tensor&, const at::Tensor&, const at::Tensor&, double) {
  TORCH_CHECK(false, "bf16Attention needs AVX-512 BF16");
}

}  // namespace ldm

#endif
