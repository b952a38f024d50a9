#include "group_norm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "../core/simd.h"
#include "avx512.h"
#include "group_norm_gradient.h"
#include "policy.h"

namespace ldm {

namespace {

/// Rows that are summed in fp32 before the sum goes on in double precision.
constexpr int64_t kRows = 64;
/// Elements that are worth a thread.
constexpr int64_t kGrain = 16384;

LDM_INLINE float activate(float v, bool silu) { return silu ? v / (1.f + exponential(-v)) : v; }

/// Sums over rows [begin, end) of x[rows][C] - shift: `sums` has C totals, then C totals of squares.
template <class T>
LDM_INLINE void addRows(const T* x, const float* shift, double* sums, float* partial, int64_t channels, int64_t begin,
                        int64_t end) {
  for (int64_t from = begin; from < end; from += kRows) {
    std::memset(partial, 0, static_cast<size_t>(2 * channels) * sizeof(float));
    for (int64_t row = from; row < std::min(end, from + kRows); ++row) {
      const T* values = x + row * channels;
      for (int64_t c = 0; c < channels; ++c) {
        const float v = widen(values[c]) - shift[c];
        partial[c] += v;
        partial[channels + c] += v * v;
      }
    }
    for (int64_t c = 0; c < 2 * channels; ++c) sums[c] += partial[c];
  }
}
LDM_SIMD void sumRows(const float* x, const float* shift, double* sums, float* partial, int64_t channels, int64_t begin,
                      int64_t end) {
  addRows(x, shift, sums, partial, channels, begin, end);
}
LDM_SIMD void sumRows(const Bf16Bits* x, const float* shift, double* sums, float* partial, int64_t channels,
                      int64_t begin, int64_t end) {
  addRows(x, shift, sums, partial, channels, begin, end);
}

template <class T>
LDM_INLINE void mapRows(const T* x, T* y, const float* scale, const float* offset, int64_t channels, bool silu,
                        int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const T* from = x + row * channels;
    T* to = y + row * channels;
    if (silu)
      for (int64_t c = 0; c < channels; ++c) to[c] = narrow<T>(activate(widen(from[c]) * scale[c] + offset[c], true));
    else
      for (int64_t c = 0; c < channels; ++c) to[c] = narrow<T>(widen(from[c]) * scale[c] + offset[c]);
  }
}
LDM_SIMD void scaleRows(const float* x, float* y, const float* scale, const float* offset, int64_t channels, bool silu,
                        int64_t begin, int64_t end) {
  mapRows(x, y, scale, offset, channels, silu, begin, end);
}
LDM_SIMD void scaleNarrowRows(const Bf16Bits* x, Bf16Bits* y, const float* scale, const float* offset, int64_t channels,
                              bool silu, int64_t begin, int64_t end) {
  mapRows(x, y, scale, offset, channels, silu, begin, end);
}

#ifdef LDM_AVX512
/// What scaleNarrowRows() does, for channels in multiples of kLanes, whose result bfloat16 rounds anyway.
template <bool kBf16>
LDM_AVX512 void scaleWideRows(const Bf16Bits* x, Bf16Bits* y, const float* scale, const float* offset, int64_t channels,
                              bool silu, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row)
    for (int64_t c = 0; c < channels; c += kLanes) {
      __m512 v = loadWide(x + row * channels + c);
      v = _mm512_fmadd_ps(v, _mm512_loadu_ps(scale + c), _mm512_loadu_ps(offset + c));
      if (silu) v = _mm512_mul_ps(v, roughSigmoid(v));
      storeNarrow<kBf16>(v, y + row * channels + c);
    }
}
#endif

void scaleRows(const Bf16Bits* x, Bf16Bits* y, const float* scale, const float* offset, int64_t channels, bool silu,
               int64_t begin, int64_t end) {
#ifdef LDM_AVX512
  if (channels % kLanes == 0 && hasAvx512())
    return (hasBf16() ? scaleWideRows<true> : scaleWideRows<false>)(x, y, scale, offset, channels, silu, begin, end);
#endif
  scaleNarrowRows(x, y, scale, offset, channels, silu, begin, end);
}

/// The same for a span of values that share their shift.
LDM_SIMD void sumSpan(const float* x, float shift, int64_t count, double& total, double& squares) {
  // as rows of `width` values: a sum of its own for each place in the row
  constexpr int64_t width = 4 * kLanes;
  for (int64_t from = 0; from < count; from += kRows * width) {
    float s[width] = {}, q[width] = {};
    const int64_t n = std::min(kRows * width, count - from), whole = n - n % width;
    for (int64_t i = 0; i < whole; i += width)
      for (int64_t k = 0; k < width; ++k) {
        const float v = x[from + i + k] - shift;
        s[k] += v;
        q[k] += v * v;
      }
    for (int64_t i = whole; i < n; ++i) {
      const float v = x[from + i] - shift;
      s[i - whole] += v;
      q[i - whole] += v * v;
    }
    for (int64_t k = 0; k < width; ++k) {
      total += s[k];
      squares += q[k];
    }
  }
}

LDM_SIMD void scaleSpan(const float* x, float* y, float scale, float offset, bool silu, int64_t count) {
  if (silu)
    for (int64_t i = 0; i < count; ++i) y[i] = activate(x[i] * scale + offset, true);
  else
    for (int64_t i = 0; i < count; ++i) y[i] = x[i] * scale + offset;
}

/// Scale and offset of each channel of a group, from the sums of its values minus `shift`; mean and inverse deviation
/// of the group to `statistics` unless that is null.
void groupCoefficients(double total, double squares, double count, double shift, double eps, const float* weight,
                       const float* bias, float* scale, float* offset, int64_t channels, double* statistics) {
  const double mean = total / count, variance = squares / count - mean * mean;
  // not std::max, which would make a 0 of what is not a number
  const double inverse = 1 / std::sqrt((variance < 0 ? 0 : variance) + eps);
  if (statistics) {
    statistics[0] = mean + shift;
    statistics[1] = inverse;
  }
  for (int64_t c = 0; c < channels; ++c) {
    scale[c] = static_cast<float>(weight[c] * inverse);
    offset[c] = static_cast<float>(bias[c] - (mean + shift) * weight[c] * inverse);
  }
}

/// What is to be done; `weight` and `bias` are those of sample n at n * step.
struct Task {
  int64_t batch, rows, channels, groups;
  double eps;
  const float *weight, *bias;
  int64_t step;
  bool silu;
  double* statistics;  ///< null, or where mean and inverse deviation of each group go
  double* statisticsOf(int64_t sample, int64_t group) const {
    return statistics ? statistics + (sample * groups + group) * 2 : nullptr;
  }
};

template <class T>
void channelsLast(const T* x, T* y, const Task& task) {
  const int64_t channels = task.channels, rows = task.rows, width = channels / task.groups;
  const int64_t grain = std::max<int64_t>(1, kGrain / channels);
  std::vector<float> shift(channels), scale(channels), offset(channels);
  const int64_t threads = at::get_num_threads();
  std::vector<double> sums(static_cast<size_t>(threads * 2 * channels));
  for (int64_t n = 0; n < task.batch; ++n) {
    const T* xn = x + n * rows * channels;
    const float *weight = task.weight + n * task.step, *bias = task.bias + n * task.step;
    for (int64_t c = 0; c < channels; ++c) shift[c] = widen(xn[c / width * width]);
    std::fill(sums.begin(), sums.end(), 0.0);
    at::parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
      std::vector<float> partial(static_cast<size_t>(2 * channels));
      sumRows(xn, shift.data(), sums.data() + at::get_thread_num() * 2 * channels, partial.data(), channels, begin,
              end);
    });
    for (int64_t g = 0; g < task.groups; ++g) {
      double total = 0, squares = 0;
      for (int64_t t = 0; t < threads; ++t)
        for (int64_t c = g * width; c < (g + 1) * width; ++c) {
          total += sums[t * 2 * channels + c];
          squares += sums[t * 2 * channels + channels + c];
        }
      groupCoefficients(total, squares, static_cast<double>(rows * width), shift[g * width], task.eps,
                        weight + g * width, bias + g * width, scale.data() + g * width, offset.data() + g * width,
                        width, task.statisticsOf(n, g));
    }
    at::parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
      scaleRows(xn, y + n * rows * channels, scale.data(), offset.data(), channels, task.silu, begin, end);
    });
  }
}

void contiguous(const float* x, float* y, const Task& task) {
  const int64_t rows = task.rows, groups = task.groups, width = task.channels / groups;
  at::parallel_for(0, task.batch * groups, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> scale(width), offset(width);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t own = i / groups * task.step + i % groups * width, at = i * width * rows;
      double total = 0, squares = 0;
      sumSpan(x + at, x[at], width * rows, total, squares);
      groupCoefficients(total, squares, static_cast<double>(rows * width), x[at], task.eps, task.weight + own,
                        task.bias + own, scale.data(), offset.data(), width, task.statisticsOf(i / groups, i % groups));
      for (int64_t c = 0; c < width; ++c)
        scaleSpan(x + at + c * rows, y + at + c * rows, scale[c], offset[c], task.silu, rows);
    }
  });
}

}  // namespace

bool groupNormSuits(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  // libtorch's own kernels for channels-last tensors are neither accurate nor fast
  if (needGradients({x, weight, bias}))
    return weight.dim() == 1 && ((fastTraining({x, weight, bias}) &&
                                  (isChannelsLast(x) || (x.is_contiguous() && x.numel() >= kFewElements))) ||
                                 (fastHalfTraining({x, weight, bias}) && isChannelsLast(x)));
  if (isChannelsLast(x))
    return (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16) && FastScope({x, weight, bias});
  return x.scalar_type() == at::kFloat && x.is_contiguous() && FastScope({x, weight, bias});
}

namespace {

/// The norm of x to y, which has the same layout and may be x.
void normalizeTo(const at::Tensor& y, const at::Tensor& x, int64_t groups, const at::Tensor& weight,
                 const at::Tensor& bias, double eps, bool silu, double* statistics) {
  const at::Tensor w = weight.to(at::kFloat).contiguous(), b = bias.to(at::kFloat).contiguous();
  const int64_t batch = x.size(0), channels = x.size(1);
  const Task task{.batch = batch,
                  .rows = x.numel() / (batch * channels),
                  .channels = channels,
                  .groups = groups,
                  .eps = eps,
                  .weight = w.const_data_ptr<float>(),
                  .bias = b.const_data_ptr<float>(),
                  .step = weight.dim() == 2 ? channels : 0,
                  .silu = silu,
                  .statistics = statistics};
  if (x.scalar_type() == at::kBFloat16)
    channelsLast(static_cast<const Bf16Bits*>(x.const_data_ptr()), static_cast<Bf16Bits*>(y.mutable_data_ptr()), task);
  else if (isChannelsLast(x))
    channelsLast(x.const_data_ptr<float>(), y.mutable_data_ptr<float>(), task);
  else
    contiguous(x.const_data_ptr<float>(), y.mutable_data_ptr<float>(), task);
}

}  // namespace

at::Tensor groupNormForward(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias,
                            double eps, bool silu, double* statistics) {
  at::Tensor y = at::empty_like(x);
  normalizeTo(y, x, groups, weight, bias, eps, silu, statistics);
  return y;
}

void groupNormInPlace(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias, double eps,
                      bool silu) {
  normalizeTo(x, x, groups, weight, bias, eps, silu, nullptr);
}

namespace {

bool onKernels(const at::Tensor& x) {
  return x.device().is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

template <class T>
void addSample(const T* x, const float* shift, double* sums, int64_t channels, int64_t rows) {
  const int64_t threads = at::get_num_threads(), grain = std::max<int64_t>(1, kGrain / channels);
  std::vector<double> own(static_cast<size_t>(threads * 2 * channels));
  at::parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
    std::vector<float> partial(static_cast<size_t>(2 * channels));
    sumRows(x, shift, own.data() + at::get_thread_num() * 2 * channels, partial.data(), channels, begin, end);
  });
  for (size_t i = 0; i < own.size(); ++i) sums[static_cast<int64_t>(i) % (2 * channels)] += own[i];
}

template <class T>
void scaleSample(const T* x, T* y, const float* scale, const float* offset, int64_t channels, int64_t rows, bool silu) {
  at::parallel_for(0, rows, std::max<int64_t>(1, kGrain / channels),
                   [&](int64_t begin, int64_t end) { scaleRows(x, y, scale, offset, channels, silu, begin, end); });
}

}  // namespace

void GroupStatistics::add(const at::Tensor& part) {
  const int64_t batch = part.size(0), channels = part.size(1), pixels = part.size(2) * part.size(3);
  if (!shift_.defined()) {
    shift_ = part.select(3, 0).select(2, 0).to(at::kFloat).view({batch, groups_, -1}).narrow(2, 0, 1);
    shift_ =
        shift_.expand({batch, groups_, channels / groups_}).clone(at::MemoryFormat::Contiguous).view({batch, channels});
    sums_ = at::zeros({batch, 2, channels}, part.options().dtype(at::kDouble).memory_format(std::nullopt));
  }
  count_ += pixels * (channels / groups_);
  if (!onKernels(part)) {
    const at::Tensor v = part.to(at::kDouble) - shift_.unsqueeze(-1).unsqueeze(-1);
    sums_.select(1, 0).add_(v.sum({2, 3}));
    sums_.select(1, 1).add_(v.square().sum({2, 3}));
    return;
  }
  const at::Tensor x = part.contiguous(at::MemoryFormat::ChannelsLast);
  for (int64_t n = 0; n < batch; ++n) {
    const float* shift = shift_.const_data_ptr<float>() + n * channels;
    double* sums = sums_.mutable_data_ptr<double>() + n * 2 * channels;
    const int64_t first = n * pixels * channels;
    if (x.scalar_type() == at::kFloat)
      addSample(x.const_data_ptr<float>() + first, shift, sums, channels, pixels);
    else
      addSample(static_cast<const Bf16Bits*>(x.const_data_ptr()) + first, shift, sums, channels, pixels);
  }
}

at::Tensor GroupStatistics::normalize(const at::Tensor& part, const at::Tensor& weight, const at::Tensor& bias,
                                      double eps, bool silu) const {
  const int64_t batch = part.size(0), channels = part.size(1), pixels = part.size(2) * part.size(3);
  const at::Tensor totals = sums_.view({batch, 2, groups_, -1}).sum(-1, /*keepdim=*/true) / static_cast<double>(count_);
  const at::Tensor mean = totals.select(1, 0), variance = (totals.select(1, 1) - mean.square()).clamp_min(0);
  const at::Tensor inverse = (variance + eps).rsqrt();  // [N, groups, 1], as the others
  const at::Tensor factor = inverse * weight.to(at::kDouble).view({1, groups_, -1});
  const at::Tensor center = mean + shift_.to(at::kDouble).view({batch, groups_, -1}).narrow(2, 0, 1);
  const at::Tensor scale = factor.view({batch, channels}).to(at::kFloat);
  const at::Tensor offset =
      (bias.to(at::kDouble).view({1, groups_, -1}) - center * factor).view({batch, channels}).to(at::kFloat);
  if (!onKernels(part)) {
    const at::Tensor y = part.to(at::kFloat) * scale.unsqueeze(-1).unsqueeze(-1) + offset.unsqueeze(-1).unsqueeze(-1);
    return (silu ? at::silu(y) : y).to(part.scalar_type());
  }
  const at::Tensor x = part.contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor y = at::empty_like(x);
  for (int64_t n = 0; n < batch; ++n) {
    const float *a = scale.const_data_ptr<float>() + n * channels, *b = offset.const_data_ptr<float>() + n * channels;
    const int64_t first = n * pixels * channels;
    if (x.scalar_type() == at::kFloat)
      scaleSample(x.const_data_ptr<float>() + first, y.mutable_data_ptr<float>() + first, a, b, channels, pixels, silu);
    else
      scaleSample(static_cast<const Bf16Bits*>(x.const_data_ptr()) + first,
                  static_cast<Bf16Bits*>(y.mutable_data_ptr()) + first, a, b, channels, pixels, silu);
  }
  return y;
}

at::Tensor groupNorm(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias, double eps,
                     bool silu) {
  if (needGradients({x, weight, bias})) return groupNormWithGradient(x, groups, weight, bias, eps, silu);
  return groupNormForward(x, groups, weight, bias, eps, silu, nullptr);
}

}  // namespace ldm
