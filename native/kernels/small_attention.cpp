#include "small_attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "../core/simd.h"

namespace ldm {

namespace {

/// Keys and values of a head that are held as fp32: half of a second-level cache.
constexpr int64_t kHeldFloats = int64_t{1} << 17;
/// Queries that are worked on at a time.
constexpr int64_t kRows = 4;

constexpr int64_t padded(int64_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

/// A head's rows, each `step` numbers after the one before.
template <class T>
struct Rows {
  T* data;
  int64_t count, width, step;
};

/// The scratch memory of a thread.
struct Scratch {
  Scratch(int64_t m, int64_t d, int64_t e)
      : keys(d * padded(m)), values(m * padded(e)), queries(kRows * d), scores(kRows * padded(m)) {}
  std::vector<float> keys;    ///< [d][m padded]
  std::vector<float> values;  ///< [m][e padded]
  std::vector<float> queries, scores;
};

/// out[kRows][width] = a[kRows][depth] b[depth][width] for kGroups * kLanes columns; rows of a are `step` apart, those
/// of b and out `width`.
template <int64_t kGroups>
LDM_INLINE void columns(const float* a, int64_t step, const float* b, float* out, int64_t depth, int64_t width) {
  using Register = float __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float))));
  Register sums[kRows][kGroups] = {};
  for (int64_t t = 0; t < depth; ++t)
    for (int64_t g = 0; g < kGroups; ++g) {
      const Register right = *reinterpret_cast<const Register*>(b + t * width + g * kLanes);
      for (int64_t r = 0; r < kRows; ++r) sums[r][g] += a[r * step + t] * right;
    }
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t g = 0; g < kGroups; ++g) *reinterpret_cast<Register*>(out + r * width + g * kLanes) = sums[r][g];
}

LDM_INLINE void product(const float* a, int64_t step, const float* b, float* out, int64_t depth, int64_t width) {
  int64_t c = 0;
  for (; c + 4 * kLanes <= width; c += 4 * kLanes) columns<4>(a, step, b + c, out + c, depth, width);
  for (; c + 2 * kLanes <= width; c += 2 * kLanes) columns<2>(a, step, b + c, out + c, depth, width);
  if (c < width) columns<1>(a, step, b + c, out + c, depth, width);
}

/// scores[width] -> exp(scale * (scores - the largest)), in place; the numbers from `m` on are not looked at and become
/// nothing. @return the sum
LDM_INLINE float weigh(float* scores, int64_t m, int64_t width, float scale) {
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  std::fill(scores + m, scores + width, kNone);
  float largest[kLanes], sum[kLanes] = {};
  std::fill_n(largest, kLanes, kNone);
  for (int64_t i = 0; i < width; i += kLanes)
    for (int64_t k = 0; k < kLanes; ++k) largest[k] = scores[i + k] > largest[k] ? scores[i + k] : largest[k];
  float top = largest[0];
  for (int64_t k = 1; k < kLanes; ++k) top = largest[k] > top ? largest[k] : top;
  for (int64_t i = 0; i < width; i += kLanes)
    for (int64_t k = 0; k < kLanes; ++k) {
      const float e = exponential(scale * (scores[i + k] - top));  // of -infinity 2e-38
      scores[i + k] = e;
      sum[k] += e;
    }
  float total = 0;
  for (int64_t k = 0; k < kLanes; ++k) total += sum[k];
  return total;
}

template <class T>
LDM_INLINE void attend(const Rows<const T>& q, const Rows<const T>& k, const Rows<const T>& v, const Rows<T>& out,
                       float scale, Scratch& s) {
  const int64_t m = k.count, d = k.width, e = v.width, keys = padded(m), values = padded(e);
  for (int64_t j = 0; j < m; ++j) {
    for (int64_t t = 0; t < d; ++t) s.keys[t * keys + j] = widen(k.data[j * k.step + t]);
    for (int64_t t = 0; t < e; ++t) s.values[j * values + t] = widen(v.data[j * v.step + t]);
  }
  std::vector<float> mixed(static_cast<size_t>(kRows * values));
  for (int64_t first = 0; first < q.count; first += kRows) {
    const int64_t rows = std::min(kRows, q.count - first);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t t = 0; t < d; ++t) s.queries[r * d + t] = widen(q.data[(first + r) * q.step + t]);
    product(s.queries.data(), d, s.keys.data(), s.scores.data(), d, keys);
    float sums[kRows];
    for (int64_t r = 0; r < kRows; ++r) sums[r] = weigh(s.scores.data() + r * keys, m, keys, scale);
    product(s.scores.data(), keys, s.values.data(), mixed.data(), m, values);
    for (int64_t r = 0; r < rows; ++r) {
      const float inverse = 1 / sums[r];
      for (int64_t t = 0; t < e; ++t) out.data[(first + r) * out.step + t] = narrow<T>(mixed[r * values + t] * inverse);
    }
  }
}
LDM_SIMD void attendHead(const Rows<const float>& q, const Rows<const float>& k, const Rows<const float>& v,
                         const Rows<float>& out, float scale, Scratch& s) {
  attend(q, k, v, out, scale, s);
}
LDM_SIMD void attendHead(const Rows<const Bf16Bits>& q, const Rows<const Bf16Bits>& k, const Rows<const Bf16Bits>& v,
                         const Rows<Bf16Bits>& out, float scale, Scratch& s) {
  attend(q, k, v, out, scale, s);
}

template <class T>
at::Tensor allHeads(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  const int64_t batch = q.size(0), heads = q.size(1), n = q.size(2), e = v.size(3);
  at::Tensor out = at::empty({batch, n, heads, e}, v.options().memory_format(std::nullopt)).transpose(1, 2);
  const auto rows = [](const at::Tensor& t, int64_t b, int64_t h) {
    return Rows<const T>{static_cast<const T*>(t.const_data_ptr()) + b * t.stride(0) + h * t.stride(1), t.size(2),
                         t.size(3), t.stride(2)};
  };
  T* target = static_cast<T*>(out.mutable_data_ptr());
  at::parallel_for(0, batch * heads, 1, [&](int64_t begin, int64_t end) {
    Scratch scratch(k.size(2), k.size(3), e);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t b = i / heads, h = i % heads;
      const Rows<T> own{target + b * out.stride(0) + h * out.stride(1), n, e, out.stride(2)};
      attendHead(rows(q, b, h), rows(k, b, h), rows(v, b, h), own, static_cast<float>(scale), scratch);
    }
  });
  return out;
}

}  // namespace

bool smallAttentionSuits(const at::Tensor& k, const at::Tensor& v) {
  return k.size(2) * (padded(k.size(3)) + padded(v.size(3))) <= kHeldFloats;
}

at::Tensor smallAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  const auto dense = [](const at::Tensor& t) { return t.stride(3) == 1 ? t : t.contiguous(); };
  return v.scalar_type() == at::kFloat ? allHeads<float>(dense(q), dense(k), dense(v), scale)
                                       : allHeads<Bf16Bits>(dense(q), dense(k), dense(v), scale);
}

}  // namespace ldm
