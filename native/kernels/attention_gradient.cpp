// With p = softmax(scale * q k^T), out = p v and do the gradient of out it is
//   dv = p^T do, dp = do v^T, ds = scale * p (dp - the row's sum of p dp), dq = ds k, dk = ds^T q.
// The row sums come from p and dp themselves, not from out and do as in fused kernels: what vanishes by cancellation
// then does so to the last bit.
#include "attention_gradient.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "attention_bf16.h"
#include "blockwise_attention.h"
#include "linear.h"
#include "softmax.h"

namespace ldm {

namespace {

/// scores[m] -> weights, in place; dp[m] -> ds, in place.
LDM_SIMD void differentiateRows(float* scores, float* dp, int64_t m, float scale, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    float* __restrict p = scores + row * m;
    float* __restrict d = dp + row * m;
    const float inverse = 1 / exponentiate(p, m, scale);
    float sums[kLanes] = {};
    const int64_t whole = m - m % kLanes;
    for (int64_t i = 0; i < whole; i += kLanes)
      for (int64_t l = 0; l < kLanes; ++l) {
        p[i + l] *= inverse;
        sums[l] += p[i + l] * d[i + l];
      }
    float total = 0;
    for (int64_t i = whole; i < m; ++i) {
      p[i] *= inverse;
      total += p[i] * d[i];
    }
    for (int64_t l = 0; l < kLanes; ++l) total += sums[l];
    for (int64_t i = 0; i < m; ++i) d[i] = scale * (p[i] * (d[i] - total));
  }
}

/// Where the gradients of one head go: [n, d], [m, d], [m, e].
struct Gradients {
  at::Tensor q, k, v;
};

/// One head: q [n, d], k [m, d], v [m, e], above [n, e].
void differentiate(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& above, float scale,
                   const Gradients& to) {
  const int64_t n = q.size(0), m = k.size(0), block = queryBlock(n, m);
  at::Tensor dk, dv;  // transposed
  const auto add = [](at::Tensor& sum, const at::Tensor& part) { sum = sum.defined() ? sum.add_(part) : part; };
  for (int64_t first = 0; first < n; first += block) {
    const int64_t rows = std::min(block, n - first);
    const at::Tensor queries = q.narrow(0, first, rows), outputs = above.narrow(0, first, rows);
    const at::Tensor p = matrixProduct(queries, k), d = matrixProduct(outputs, v);
    at::parallel_for(0, rows, std::max<int64_t>(1, 16384 / m), [&](int64_t begin, int64_t end) {
      differentiateRows(p.mutable_data_ptr<float>(), d.mutable_data_ptr<float>(), m, scale, begin, end);
    });
    to.q.narrow(0, first, rows).copy_(matrixProduct(d, k.t()));
    add(dk, matrixProduct(queries.t(), d.t()));
    add(dv, matrixProduct(outputs.t(), p.t()));
  }
  to.k.copy_(dk.t());
  to.v.copy_(dv.t());
}

class AttentionFunction : public torch::autograd::Function<AttentionFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, double scale) {
    ctx->save_for_backward({q, k, v});
    ctx->saved_data["scale"] = scale;
    const bool half = q.scalar_type() == at::kBFloat16 && bf16AttentionAvailable();
    return half ? bf16Attention(q, k, v, scale) : blockwiseAttention(q, k, v, scale);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list above) {
    const auto saved = ctx->get_saved_variables();
    const auto full = [](const at::Tensor& t) { return t.to(at::kFloat).contiguous(); };
    const at::Tensor q = full(saved[0]), k = full(saved[1]), v = full(saved[2]), outputs = full(above[0]);
    const auto scale = static_cast<float>(ctx->saved_data["scale"].toDouble());
    const at::Tensor dq = at::empty_like(q), dk = at::empty_like(k), dv = at::empty_like(v);
    const int64_t heads = q.size(1), count = q.size(0) * heads;
    forEachHead(count, [&](int64_t i) {
      const int64_t b = i / heads, h = i % heads;
      differentiate(q[b][h], k[b][h], v[b][h], outputs[b][h], scale, {dq[b][h], dk[b][h], dv[b][h]});
    });
    const at::ScalarType type = saved[0].scalar_type();
    return {dq.to(type), dk.to(type), dv.to(type), {}};
  }
};

}  // namespace

at::Tensor attentionWithGradient(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  return AttentionFunction::apply(q, k, v, scale);
}

}  // namespace ldm
