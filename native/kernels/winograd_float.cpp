#include "winograd_float.h"

#include "winograd_panels.h"

#ifdef LDM_AVX512

namespace ldm {

namespace {

template <class F>
LDM_AVX512 void transformFilters(const Filters<float>& source, int64_t o, float* u, int64_t stride, int64_t step,
                                 Lane* taps) {
  const int64_t channels = source.channels;
  gatherTaps<F>(source, o, taps);
  for (int64_t c = 0; c < channels; ++c) {
    Lane full[kPlanes];
    filterOf<F>(taps + c * F::kTaps * F::kTaps, full);
    for (int64_t p = 0; p < kPlanes; ++p) store(full[p], u + p * stride + c * step * kLanes);
  }
}

template <class F>
LDM_AVX512 void transformInputs(const float* x, float* v, int64_t stride, int64_t channels, const TileGrid& g,
                                int64_t first, int64_t begin, int64_t end) {
  for (int64_t t = begin; t < end; ++t) {
    const auto [image, top, left] = g.place(t);
    const int64_t y0 = top - g.above(), x0 = left - g.before();
    const float* source = x + image * g.sourcePixels() * channels;
    for (int64_t c = 0; c < channels; c += kLanes) {
      fetchNextTile<F>(source + c, channels, g, y0, x0);
      Lane patch[kPlanes], full[kPlanes];
      gather<Four::kPatch>(source + c, patch, channels, g, y0, x0);
      inputOf(patch, full);
      for (int64_t p = 0; p < kPlanes; ++p) store(full[p], v + p * stride + (t - first) * channels + c);
    }
  }
}

/// kTiles rows of v [channels] times kCount groups of u -> m[kTiles][outs].
/// @param block, group the sequences of kTiles * kCount and of kCount: indices that are constants from the start are
/// what keeps the sums in registers
template <int64_t kCount, size_t... block, size_t... group>
LDM_AVX512 void multiplyTiles(const float* v, int64_t channels, const float* u, float* m, int64_t outs,
                              std::index_sequence<block...>, std::index_sequence<group...>) {
  __m512 sums[kTiles * kCount];
  ((sums[block] = _mm512_setzero_ps()), ...);
  for (int64_t c = 0; c < channels; ++c, u += kCount * kLanes) {
    const __m512 filters[kCount] = {_mm512_loadu_ps(u + group * kLanes)...};
    ((sums[block] =
          _mm512_fmadd_ps(_mm512_set1_ps(v[block / kCount * channels + c]), filters[block % kCount], sums[block])),
     ...);
  }
  (_mm512_storeu_ps(m + block / kCount * outs + block % kCount * kLanes, sums[block]), ...);
}

template <int64_t kCount>
LDM_AVX512 void multiplyRows(const float* v, int64_t tiles, int64_t channels, const float* u, float* m, int64_t outs) {
  for (int64_t t = 0; t < tiles; t += kTiles)
    multiplyTiles<kCount>(v + t * channels, channels, u, m + t * outs, outs,
                          std::make_index_sequence<kTiles * kCount>(), std::make_index_sequence<kCount>());
}

template <class F>
LDM_AVX512 void transformOutputs(const float* m, int64_t stride, int64_t outs, const float* bias, float* y,
                                 int64_t channels, const TileGrid& g, int64_t first, int64_t begin, int64_t end) {
  const int64_t rowStep = g.rowStep() * channels, columnStep = g.columnStep() * channels;
  for (int64_t t = begin; t < end; ++t) {
    const auto [image, y0, x0] = g.place(t);
    const int64_t rows = std::min(F::kTile, g.height - y0), columns = std::min(F::kTile, g.width - x0);
    float* target = y + g.resultAt(image, y0, x0) * channels;
    for (int64_t c = 0; c < outs; c += kLanes) {
      Lane product[kPlanes], full[F::kTile * F::kTile];
      for (int64_t p = 0; p < kPlanes; ++p) {
        const float* source = m + p * stride + (t - first) * outs + c;
        _mm_prefetch(source + kAhead, _MM_HINT_T0);
        load(source, product[p]);
      }
      outputOf<F>(product, full);
      const __m512 offset = _mm512_loadu_ps(bias + c);
      float* row = target + c;
      for (int64_t i = 0; i < rows; ++i, row += rowStep) {
        float* pixel = row;
        for (int64_t j = 0; j < columns; ++j, pixel += columnStep)
          _mm512_storeu_ps(pixel, _mm512_add_ps(_mm512_loadu_ps(full[i * F::kTile + j]), offset));
      }
    }
  }
}

/// Format of convolveByPanels().
template <class F>
struct Float {
  using Image = float;
  using Number = float;
  using Product = float;
  static constexpr int64_t kPair = 1, kHeldFilters = int64_t{10} << 20;

  Float(int64_t, int64_t) {}
  static void filters(const Filters<float>& source, int64_t o, int64_t, Number* u, int64_t stride, int64_t step,
                      int64_t, Lane* taps) {
    transformFilters<F>(source, o, u, stride, step, taps);
  }
  static void inputs(const Image* x, Number* v, int64_t stride, int64_t channels, const TileGrid& g, int64_t first,
                     int64_t begin, int64_t end) {
    transformInputs<F>(x, v, stride, channels, g, first, begin, end);
  }
  static void multiply(const Number* v, int64_t tiles, int64_t channels, const Number* u, Product* m, int64_t outs,
                       int64_t groups) {
    withGroups(groups, [&](auto count) { multiplyRows<count>(v, tiles, channels, u, m, outs); });
  }
  static void outputs(const Product* m, int64_t stride, int64_t outs, const float* bias, Image* y, int64_t channels,
                      const TileGrid& g, int64_t first, int64_t begin, int64_t end) {
    transformOutputs<F>(m, stride, outs, bias, y, channels, g, first, begin, end);
  }
};

}  // namespace

bool winogradFloatAvailable() { return hasAvx512(); }

at::Tensor winogradFloatConv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool doubled,
                                bool transposed) {
  const Filters<float> filters{weight.const_data_ptr<float>(), weight.size(transposed ? 1 : 0), x.size(1), transposed};
  return convolveByPanels<Float>(x, filters, bias, doubled);
}

}  // namespace ldm

#else

namespace ldm {

bool winogradFloatAvailable() { return false; }

at::Tensor winogradFloatConv3x3(const at::Tensor&, const at::Tensor&, const at::Tensor&, bool, bool) {
  TORCH_CHECK(false, "winogradFloatConv3x3 needs AVX-512");
}

}  // namespace ldm

#endif
