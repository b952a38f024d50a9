#include "blockwise_attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "linear.h"
#include "softmax.h"

namespace ldm {

namespace {

LDM_SIMD void exponentiateRows(float* scores, float* sums, int64_t m, float scale, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) sums[row] = exponentiate(scores + row * m, m, scale);
}

/// from[n][e] / sums[n] -> rows of `to` that are `stride` apart.
template <class T>
LDM_INLINE void divide(const T* from, const float* sums, T* to, int64_t n, int64_t e, int64_t stride) {
  for (int64_t row = 0; row < n; ++row) {
    const float inverse = 1 / sums[row];
    for (int64_t i = 0; i < e; ++i)
      to[row * stride + i] = static_cast<T>(static_cast<float>(from[row * e + i]) * inverse);
  }
}

LDM_SIMD void divideRows(const float* from, const float* sums, float* to, int64_t n, int64_t e, int64_t stride) {
  divide(from, sums, to, n, e, stride);
}
void divideRows(const at::BFloat16* from, const float* sums, at::BFloat16* to, int64_t n, int64_t e, int64_t stride) {
  divide(from, sums, to, n, e, stride);
}

/// One head: q [n, d] and k [m, d] in fp32, vT [e, m] -> n rows of `out`.
template <class T>
void attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& vT, float scale, T* out, int64_t stride) {
  const int64_t n = q.size(0), m = k.size(0), e = vT.size(0);
  const int64_t block = queryBlock(n, m);
  std::vector<float> sums(static_cast<size_t>(block));
  for (int64_t first = 0; first < n; first += block) {
    const int64_t rows = std::min(block, n - first);
    const at::Tensor scores = matrixProduct(q.narrow(0, first, rows), k);
    at::parallel_for(0, rows, std::max<int64_t>(1, 16384 / m), [&](int64_t begin, int64_t end) {
      exponentiateRows(scores.mutable_data_ptr<float>(), sums.data(), m, scale, begin, end);
    });
    const at::Tensor mixed = matrixProduct(scores.to(vT.scalar_type()), vT);
    divideRows(mixed.const_data_ptr<T>(), sums.data(), out + first * stride, rows, e, stride);
  }
}

template <class T>
at::Tensor allHeads(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  const int64_t batch = q.size(0), heads = q.size(1), n = q.size(2), e = v.size(3);
  const at::Tensor queries = q.to(at::kFloat).contiguous(), keys = k.to(at::kFloat).contiguous();
  const at::Tensor values = v.transpose(2, 3).contiguous();
  at::Tensor out = at::empty({batch, n, heads, e}, v.options().memory_format(std::nullopt));
  T* target = out.mutable_data_ptr<T>();
  const auto head = [&](int64_t i) {
    const int64_t b = i / heads, h = i % heads;
    attend(queries[b][h], keys[b][h], values[b][h], static_cast<float>(scale), target + (b * n * heads + h) * e,
           heads * e);
  };
  forEachHead(batch * heads, head);
  return out.transpose(1, 2);
}

}  // namespace

at::Tensor blockwiseAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  return v.scalar_type() == at::kFloat ? allHeads<float>(q, k, v, scale) : allHeads<at::BFloat16>(q, k, v, scale);
}

}  // namespace ldm
