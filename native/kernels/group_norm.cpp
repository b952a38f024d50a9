#include "group_norm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "policy.h"
#include "simd.h"

namespace ldm {

namespace {

/// Rows that are summed in fp32 before the sum goes on in double precision.
constexpr int64_t kRows = 64;
/// Elements that are worth a thread.
constexpr int64_t kGrain = 16384;

/// exp(x) after Cephes: reduced to |r| <= ln 2 / 2, a polynomial of degree 6 there, relative error below 2e-7.
LDM_INLINE float exponential(float x) {
  x = x < -87.f ? -87.f : x;
  x = x > 88.f ? 88.f : x;
  const float n = std::floor(x * 1.44269504f + 0.5f);
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.f;
  return p * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
}

LDM_INLINE float activate(float v, bool silu) { return silu ? v / (1.f + exponential(-v)) : v; }

/// Sums over rows [begin, end) of x[rows][C] - shift: `sums` has C totals, then C totals of squares.
LDM_SIMD void sumRows(const float* x, const float* shift, double* sums, float* partial, int64_t channels, int64_t begin,
                      int64_t end) {
  for (int64_t from = begin; from < end; from += kRows) {
    std::memset(partial, 0, static_cast<size_t>(2 * channels) * sizeof(float));
    for (int64_t row = from; row < std::min(end, from + kRows); ++row) {
      const float* values = x + row * channels;
      for (int64_t c = 0; c < channels; ++c) {
        const float v = values[c] - shift[c];
        partial[c] += v;
        partial[channels + c] += v * v;
      }
    }
    for (int64_t c = 0; c < 2 * channels; ++c) sums[c] += partial[c];
  }
}

LDM_SIMD void scaleRows(const float* x, float* y, const float* scale, const float* offset, int64_t channels, bool silu,
                        int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const float* from = x + row * channels;
    float* to = y + row * channels;
    if (silu)
      for (int64_t c = 0; c < channels; ++c) to[c] = activate(from[c] * scale[c] + offset[c], true);
    else
      for (int64_t c = 0; c < channels; ++c) to[c] = from[c] * scale[c] + offset[c];
  }
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

/// Scale and offset of each channel of a group, from the sums of its values minus `shift`.
void groupCoefficients(double total, double squares, double count, double shift, double eps, const float* weight,
                       const float* bias, float* scale, float* offset, int64_t channels) {
  const double mean = total / count, variance = std::max(0.0, squares / count - mean * mean);
  const double inverse = 1 / std::sqrt(variance + eps);
  for (int64_t c = 0; c < channels; ++c) {
    scale[c] = static_cast<float>(weight[c] * inverse);
    offset[c] = static_cast<float>(bias[c] - (mean + shift) * weight[c] * inverse);
  }
}

void channelsLast(const float* x, float* y, int64_t batch, int64_t rows, int64_t channels, int64_t groups, double eps,
                  const float* weight, const float* bias, bool silu) {
  const int64_t width = channels / groups, grain = std::max<int64_t>(1, kGrain / channels);
  std::vector<float> shift(channels), scale(channels), offset(channels);
  const int64_t threads = at::get_num_threads();
  std::vector<double> sums(static_cast<size_t>(threads * 2 * channels));
  for (int64_t n = 0; n < batch; ++n) {
    const float* xn = x + n * rows * channels;
    for (int64_t c = 0; c < channels; ++c) shift[c] = xn[c / width * width];
    std::fill(sums.begin(), sums.end(), 0.0);
    at::parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
      std::vector<float> partial(static_cast<size_t>(2 * channels));
      sumRows(xn, shift.data(), sums.data() + at::get_thread_num() * 2 * channels, partial.data(), channels, begin,
              end);
    });
    for (int64_t g = 0; g < groups; ++g) {
      double total = 0, squares = 0;
      for (int64_t t = 0; t < threads; ++t)
        for (int64_t c = g * width; c < (g + 1) * width; ++c) {
          total += sums[t * 2 * channels + c];
          squares += sums[t * 2 * channels + channels + c];
        }
      groupCoefficients(total, squares, static_cast<double>(rows * width), shift[g * width], eps, weight + g * width,
                        bias + g * width, scale.data() + g * width, offset.data() + g * width, width);
    }
    at::parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
      scaleRows(xn, y + n * rows * channels, scale.data(), offset.data(), channels, silu, begin, end);
    });
  }
}

void contiguous(const float* x, float* y, int64_t batch, int64_t rows, int64_t channels, int64_t groups, double eps,
                const float* weight, const float* bias, bool silu) {
  const int64_t width = channels / groups;
  at::parallel_for(0, batch * groups, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> scale(width), offset(width);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t g = i % groups, at = i * width * rows;
      double total = 0, squares = 0;
      sumSpan(x + at, x[at], width * rows, total, squares);
      groupCoefficients(total, squares, static_cast<double>(rows * width), x[at], eps, weight + g * width,
                        bias + g * width, scale.data(), offset.data(), width);
      for (int64_t c = 0; c < width; ++c)
        scaleSpan(x + at + c * rows, y + at + c * rows, scale[c], offset[c], silu, rows);
    }
  });
}

bool isChannelsLast(const at::Tensor& x) {
  return x.dim() == 4 && x.is_contiguous(at::MemoryFormat::ChannelsLast) && !x.is_contiguous();
}

}  // namespace

bool groupNormSuits(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return fastKernels({x, weight, bias}) && (x.is_contiguous() || isChannelsLast(x));
}

at::Tensor groupNorm(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias, double eps,
                     bool silu) {
  at::Tensor y = at::empty_like(x);
  const int64_t batch = x.size(0), channels = x.size(1), rows = x.numel() / (batch * channels);
  const auto run = isChannelsLast(x) ? channelsLast : contiguous;
  run(x.const_data_ptr<float>(), y.mutable_data_ptr<float>(), batch, rows, channels, groups, eps,
      weight.contiguous().const_data_ptr<float>(), bias.contiguous().const_data_ptr<float>(), silu);
  return y;
}

}  // namespace ldm
