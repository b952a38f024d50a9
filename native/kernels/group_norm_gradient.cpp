// The gradient of group normalization with the SiLU behind it. With x^ = (x - mean) / deviation, u = w x^ + b, y = f(u)
// and du = f'(u) dy it is
//   db = sum of du, dw = sum of du x^, dx = (w du - mean(w du) - x^ mean(w du x^)) / deviation
// with means over the group. Sums run as those of the forward pass: in fp32 over short runs, in double precision over
// those. du is computed once and waits in the memory of dx.
#include "group_norm_gradient.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "../core/simd.h"
#include "avx512.h"

namespace ldm {

namespace {

constexpr int64_t kRows = 64;
constexpr int64_t kGrain = 16384;

LDM_INLINE float siluSlope(float v) {
  const float s = 1.f / (1.f + exponential(-v));
  return s * (1.f + v * (1.f - s));
}

/// What the loops need of each channel.
struct Channels {
  explicit Channels(int64_t count)
      : mean(count), scale(count), offset(count), ofSlope(count), ofValue(count), constant(count) {}
  std::vector<float> mean, scale, offset;         ///< u = x * scale + offset
  std::vector<float> ofSlope, ofValue, constant;  ///< dx = du * ofSlope + (x - mean) * ofValue + constant

  void prepare(int64_t begin, int64_t end, const double* statistics, const float* weight, const float* bias) {
    const double mu = statistics[0], inverse = statistics[1];
    for (int64_t c = begin; c < end; ++c) {
      mean[c] = static_cast<float>(mu);
      scale[c] = static_cast<float>(weight[c] * inverse);
      offset[c] = static_cast<float>(bias[c] - mu * weight[c] * inverse);
    }
  }

  /// From the sums of du and of du (x - mean) of each channel; turns the latter into those of du x^.
  void combine(int64_t begin, int64_t end, const double* statistics, const float* weight, double count, double* sums,
               double* products) {
    const double inverse = statistics[1];
    double total = 0, product = 0;
    for (int64_t c = begin; c < end; ++c) {
      products[c] *= inverse;
      total += weight[c] * sums[c];
      product += weight[c] * products[c];
    }
    for (int64_t c = begin; c < end; ++c) {
      ofSlope[c] = scale[c];
      ofValue[c] = static_cast<float>(-inverse * inverse * product / count);
      constant[c] = static_cast<float>(-inverse * total / count);
    }
  }
};

/// du of rows [begin, end), and sums over them: `sums` has C of du, then C of du (x - mean).
template <class T>
LDM_INLINE void addSlopes(const T* __restrict x, const T* __restrict dy, T* __restrict du, const float* __restrict mean,
                          const float* __restrict scale, const float* __restrict offset, double* __restrict sums,
                          float* __restrict partial, int64_t channels, bool activated, int64_t begin, int64_t end) {
  for (int64_t from = begin; from < end; from += kRows) {
    std::memset(partial, 0, static_cast<size_t>(2 * channels) * sizeof(float));
    for (int64_t row = from; row < std::min(end, from + kRows); ++row) {
      const T* __restrict values = x + row * channels;
      const T* __restrict above = dy + row * channels;
      T* __restrict slopes = du + row * channels;
      if (activated)
        for (int64_t c = 0; c < channels; ++c) {
          const float v = widen(values[c]), d = widen(above[c]) * siluSlope(v * scale[c] + offset[c]);
          slopes[c] = narrow<T>(d);
          partial[c] += d;
          partial[channels + c] += d * (v - mean[c]);
        }
      else
        for (int64_t c = 0; c < channels; ++c) {
          const float v = widen(values[c]), d = widen(above[c]);
          slopes[c] = above[c];
          partial[c] += d;
          partial[channels + c] += d * (v - mean[c]);
        }
    }
    for (int64_t c = 0; c < 2 * channels; ++c) sums[c] += partial[c];
  }
}

LDM_SIMD void slopeRows(const float* x, const float* dy, float* du, const float* mean, const float* scale,
                        const float* offset, double* sums, float* partial, int64_t channels, bool activated,
                        int64_t begin, int64_t end) {
  addSlopes(x, dy, du, mean, scale, offset, sums, partial, channels, activated, begin, end);
}
LDM_SIMD void slopeNarrowRows(const Bf16Bits* x, const Bf16Bits* dy, Bf16Bits* du, const float* mean,
                              const float* scale, const float* offset, double* sums, float* partial, int64_t channels,
                              bool activated, int64_t begin, int64_t end) {
  addSlopes(x, dy, du, mean, scale, offset, sums, partial, channels, activated, begin, end);
}

#ifdef LDM_AVX512
/// What slopeNarrowRows() does, for channels in multiples of kLanes, whose result bfloat16 rounds anyway.
template <bool kBf16>
LDM_AVX512 void slopeWideRows(const Bf16Bits* x, const Bf16Bits* dy, Bf16Bits* du, const float* mean,
                              const float* scale, const float* offset, double* sums, float* partial, int64_t channels,
                              bool activated, int64_t begin, int64_t end) {
  const __m512 one = _mm512_set1_ps(1.f);
  for (int64_t from = begin; from < end; from += kRows) {
    std::memset(partial, 0, static_cast<size_t>(2 * channels) * sizeof(float));
    for (int64_t row = from; row < std::min(end, from + kRows); ++row)
      for (int64_t c = 0; c < channels; c += kLanes) {
        const __m512 v = loadWide(x + row * channels + c);
        __m512 d = loadWide(dy + row * channels + c);
        if (activated) {
          const __m512 u = _mm512_fmadd_ps(v, _mm512_loadu_ps(scale + c), _mm512_loadu_ps(offset + c));
          const __m512 s = roughSigmoid(u);  // whose product with u has the slope s (1 + u (1 - s))
          d = _mm512_mul_ps(d, _mm512_mul_ps(s, _mm512_fmadd_ps(u, _mm512_sub_ps(one, s), one)));
        }
        storeNarrow<kBf16>(d, du + row * channels + c);
        float *sum = partial + c, *product = partial + channels + c;
        _mm512_storeu_ps(sum, _mm512_add_ps(_mm512_loadu_ps(sum), d));
        const __m512 centered = _mm512_sub_ps(v, _mm512_loadu_ps(mean + c));
        _mm512_storeu_ps(product, _mm512_fmadd_ps(d, centered, _mm512_loadu_ps(product)));
      }
    for (int64_t c = 0; c < 2 * channels; ++c) sums[c] += partial[c];
  }
}
#endif

void slopeRows(const Bf16Bits* x, const Bf16Bits* dy, Bf16Bits* du, const float* mean, const float* scale,
               const float* offset, double* sums, float* partial, int64_t channels, bool activated, int64_t begin,
               int64_t end) {
#ifdef LDM_AVX512
  if (channels % kLanes == 0 && hasAvx512())
    return (hasBf16() ? slopeWideRows<true> : slopeWideRows<false>)(x, dy, du, mean, scale, offset, sums, partial,
                                                                    channels, activated, begin, end);
#endif
  slopeNarrowRows(x, dy, du, mean, scale, offset, sums, partial, channels, activated, begin, end);
}

template <class T>
LDM_INLINE void combineSlopes(const T* __restrict x, T* __restrict dx, const float* __restrict mean,
                              const float* __restrict ofSlope, const float* __restrict ofValue,
                              const float* __restrict constant, int64_t channels, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const T* __restrict values = x + row * channels;
    T* __restrict to = dx + row * channels;
    for (int64_t c = 0; c < channels; ++c)
      to[c] = narrow<T>(widen(to[c]) * ofSlope[c] + ((widen(values[c]) - mean[c]) * ofValue[c] + constant[c]));
  }
}
LDM_SIMD void combineRows(const float* x, float* dx, const float* mean, const float* ofSlope, const float* ofValue,
                          const float* constant, int64_t channels, int64_t begin, int64_t end) {
  combineSlopes(x, dx, mean, ofSlope, ofValue, constant, channels, begin, end);
}
LDM_SIMD void combineRows(const Bf16Bits* x, Bf16Bits* dx, const float* mean, const float* ofSlope,
                          const float* ofValue, const float* constant, int64_t channels, int64_t begin, int64_t end) {
  combineSlopes(x, dx, mean, ofSlope, ofValue, constant, channels, begin, end);
}

LDM_SIMD void slopeSpan(const float* __restrict x, const float* __restrict dy, float* __restrict du, float mean,
                        float scale, float offset, bool activated, int64_t count, double& total, double& product) {
  constexpr int64_t width = 4 * kLanes;
  for (int64_t from = 0; from < count; from += kRows * width) {
    float s[width] = {}, q[width] = {};
    const int64_t n = std::min(kRows * width, count - from), whole = n - n % width;
    if (activated)
      for (int64_t i = from; i < from + n; ++i) du[i] = dy[i] * siluSlope(x[i] * scale + offset);
    else
      std::memcpy(du + from, dy + from, static_cast<size_t>(n) * sizeof(float));
    for (int64_t i = 0; i < whole; i += width)
      for (int64_t k = 0; k < width; ++k) {
        const float d = du[from + i + k];
        s[k] += d;
        q[k] += d * (x[from + i + k] - mean);
      }
    for (int64_t i = whole; i < n; ++i) {
      const float d = du[from + i];
      s[i - whole] += d;
      q[i - whole] += d * (x[from + i] - mean);
    }
    for (int64_t k = 0; k < width; ++k) {
      total += s[k];
      product += q[k];
    }
  }
}

LDM_SIMD void combineSpan(const float* __restrict x, float* __restrict dx, float mean, float ofSlope, float ofValue,
                          float constant, int64_t count) {
  for (int64_t i = 0; i < count; ++i) dx[i] = dx[i] * ofSlope + ((x[i] - mean) * ofValue + constant);
}

struct Sizes {
  int64_t batch, channels, rows, groups, width;
};

/// `sums` and `products` [N, C]: of du and du x^.
template <class T>
void channelsLast(const T* x, const T* dy, T* dx, const Sizes& n, const double* statistics, const float* weight,
                  const float* bias, bool activated, double* sums, double* products) {
  const int64_t grain = std::max<int64_t>(1, kGrain / n.channels), threads = at::get_num_threads();
  std::vector<double> parts(static_cast<size_t>(threads * 2 * n.channels));
  Channels per(n.channels);
  for (int64_t i = 0; i < n.batch; ++i) {
    const int64_t at = i * n.rows * n.channels;
    const double* own = statistics + i * n.groups * 2;
    for (int64_t g = 0; g < n.groups; ++g) per.prepare(g * n.width, (g + 1) * n.width, own + g * 2, weight, bias);
    std::fill(parts.begin(), parts.end(), 0.0);
    at::parallel_for(0, n.rows, grain, [&](int64_t begin, int64_t end) {
      std::vector<float> partial(static_cast<size_t>(2 * n.channels));
      slopeRows(x + at, dy + at, dx + at, per.mean.data(), per.scale.data(), per.offset.data(),
                parts.data() + at::get_thread_num() * 2 * n.channels, partial.data(), n.channels, activated, begin,
                end);
    });
    double* total = sums + i * n.channels;
    double* product = products + i * n.channels;
    for (int64_t c = 0; c < n.channels; ++c) {
      total[c] = product[c] = 0;
      for (int64_t t = 0; t < threads; ++t) {
        total[c] += parts[t * 2 * n.channels + c];
        product[c] += parts[t * 2 * n.channels + n.channels + c];
      }
    }
    for (int64_t g = 0; g < n.groups; ++g)
      per.combine(g * n.width, (g + 1) * n.width, own + g * 2, weight, static_cast<double>(n.rows * n.width), total,
                  product);
    at::parallel_for(0, n.rows, grain, [&](int64_t begin, int64_t end) {
      combineRows(x + at, dx + at, per.mean.data(), per.ofSlope.data(), per.ofValue.data(), per.constant.data(),
                  n.channels, begin, end);
    });
  }
}

void contiguous(const float* x, const float* dy, float* dx, const Sizes& n, const double* statistics,
                const float* weight, const float* bias, bool activated, double* sums, double* products) {
  at::parallel_for(0, n.batch * n.groups, 1, [&](int64_t begin, int64_t end) {
    Channels per(n.width);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % n.groups * n.width;
      const double* own = statistics + i * 2;
      double* total = sums + i * n.width;
      double* product = products + i * n.width;
      per.prepare(0, n.width, own, weight + first, bias + first);
      for (int64_t c = 0; c < n.width; ++c) {
        const int64_t at = (i * n.width + c) * n.rows;
        total[c] = product[c] = 0;
        slopeSpan(x + at, dy + at, dx + at, per.mean[c], per.scale[c], per.offset[c], activated, n.rows, total[c],
                  product[c]);
      }
      per.combine(0, n.width, own, weight + first, static_cast<double>(n.rows * n.width), total, product);
      for (int64_t c = 0; c < n.width; ++c) {
        const int64_t at = (i * n.width + c) * n.rows;
        combineSpan(x + at, dx + at, per.mean[c], per.ofSlope[c], per.ofValue[c], per.constant[c], n.rows);
      }
    }
  });
}

class GroupNormFunction : public torch::autograd::Function<GroupNormFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias, int64_t groups, double eps, bool activated) {
    const at::Tensor statistics = at::empty({x.size(0), groups, 2}, at::kDouble);
    ctx->save_for_backward({x, weight, bias, statistics});
    ctx->saved_data["activated"] = activated;
    return groupNormForward(x, groups, weight, bias, eps, activated, statistics.mutable_data_ptr<double>());
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list above) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &statistics = saved[3];
    const bool last = isChannelsLast(x);
    const at::Tensor dy =
        above[0].to(x.scalar_type()).contiguous(last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
    const at::Tensor weight = saved[1].to(at::kFloat).contiguous(), bias = saved[2].to(at::kFloat).contiguous();
    at::Tensor dx = at::empty_like(x);
    const int64_t batch = x.size(0), channels = x.size(1), groups = statistics.size(1);
    const Sizes sizes{batch, channels, x.numel() / (batch * channels), groups, channels / groups};
    at::Tensor sums = at::empty({2, batch, channels}, at::kDouble);
    double* total = sums.mutable_data_ptr<double>();
    const auto differentiate = [&]<class T>(auto run) {
      run(static_cast<const T*>(x.const_data_ptr()), static_cast<const T*>(dy.const_data_ptr()),
          static_cast<T*>(dx.mutable_data_ptr()), sizes, statistics.const_data_ptr<double>(),
          weight.const_data_ptr<float>(), bias.const_data_ptr<float>(), ctx->saved_data["activated"].toBool(), total,
          total + batch * channels);
    };
    if (x.scalar_type() == at::kBFloat16)
      differentiate.operator()<Bf16Bits>(channelsLast<Bf16Bits>);
    else
      differentiate.operator()<float>(last ? channelsLast<float> : contiguous);
    const at::Tensor parameters = sums.sum(1).to(at::kFloat);
    return {dx, parameters[1], parameters[0], {}, {}, {}};
  }
};

}  // namespace

at::Tensor groupNormWithGradient(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias,
                                 double eps, bool activated) {
  return GroupNormFunction::apply(x, weight, bias, groups, eps, activated);
}

}  // namespace ldm
