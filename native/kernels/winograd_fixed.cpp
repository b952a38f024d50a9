#include "winograd_fixed.h"

#include "winograd_integers.h"

#ifdef LDM_AVX512

namespace ldm {

namespace {

/// Products are held in half precision, whose error is a third of that of the integers; this brings them into its
/// range.
using Half = uint16_t;
constexpr float kHalfScale = 1.f / (1 << 15);

LDM_VNNI_INLINE void storeHalf(__m512 value, Half* to) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                      _mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
LDM_VNNI_INLINE __m512 loadHalf(const Half* from) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}

/// Six values from the taps, without the factors of planeFactor(), as the other lines of transforms.
template <class F>
LDM_VNNI_INLINE void filterLine(const __m512* taps, __m512* out, int step) {
  const __m512 near = _mm512_set1_ps(kNear), far = _mm512_set1_ps(kFar), a = taps[0], b = taps[1];
  __m512 evenNear = a, evenFar = a;
  if constexpr (F::kTaps == 3) {
    evenNear = _mm512_fmadd_ps(taps[2], _mm512_set1_ps(kNear2), a);
    evenFar = _mm512_fmadd_ps(taps[2], _mm512_set1_ps(kFar2), a);
  }
  out[0] = a;
  out[step] = _mm512_fmadd_ps(b, near, evenNear);
  out[2 * step] = _mm512_fnmadd_ps(b, near, evenNear);
  out[3 * step] = _mm512_fmadd_ps(b, far, evenFar);
  out[4 * step] = _mm512_fnmadd_ps(b, far, evenFar);
  out[5 * step] = taps[F::kTaps - 1];
}

/// By which the transformed filters of a plane have to be multiplied still.
constexpr float planeFactor(int64_t plane) {
  constexpr float near = 1 / (2 * kNear2 * (kNear2 - kFar2)), far = 1 / (2 * kFar2 * (kFar2 - kNear2));
  constexpr float lines[Four::kPatch] = {1 / (kNear2 * kFar2), near, near, far, far, 1};
  return lines[plane / Four::kPatch] * lines[plane % Four::kPatch];
}

LDM_VNNI_INLINE __m512 weightedSum(float a, __m512 x, float b, __m512 y) {
  return _mm512_fmadd_ps(_mm512_set1_ps(a), x, _mm512_mul_ps(_mm512_set1_ps(b), y));
}

/// Outputs from six products.
template <class F>
LDM_VNNI_INLINE void outputLine(const __m512* in, __m512* out, int step) {
  const __m512 near = _mm512_add_ps(in[1], in[2]), nearOdd = _mm512_sub_ps(in[1], in[2]);
  const __m512 far = _mm512_add_ps(in[3], in[4]), farOdd = _mm512_sub_ps(in[3], in[4]);
  out[0] = _mm512_add_ps(in[0], _mm512_add_ps(near, far));
  out[step] = weightedSum(kNear, nearOdd, kFar, farOdd);
  out[2 * step] = weightedSum(kNear2, near, kFar2, far);
  out[3 * step] = weightedSum(kNear3, nearOdd, kFar3, farOdd);
  if constexpr (F::kTile == 5) out[4 * step] = weightedSum(kNear2 * kNear2, near, kFar2 * kFar2, far);
  constexpr int kLast = F::kTile - 1;
  out[kLast * step] = _mm512_add_ps(out[kLast * step], in[5]);
}

/// The columns of filters -> the first half of their transform, [6][kTaps].
template <class F>
LDM_VNNI_INLINE void filterColumns(const Lane* taps, __m512* half) {
  constexpr int kTaps = F::kTaps;
#pragma GCC unroll 3
  for (int j = 0; j < kTaps; ++j) {
    __m512 column[kTaps];
#pragma GCC unroll 3
    for (int i = 0; i < kTaps; ++i) column[i] = _mm512_loadu_ps(taps[i * kTaps + j]);
    filterLine<F>(column, half + j, kTaps);
  }
}

/// The kLanes output channels from o on -> their integers at u + plane * stride: [c / 2][step][kLanes][2], of which
/// these channels have one in `step`; and the inverse factors at inverse[plane][outs].
/// @param taps scratch memory, 9 for each of the channels
template <class F, class T>
LDM_VNNI void transformFilters(const Filters<T>& source, int64_t o, Integer* u, int64_t stride, int64_t step,
                               float* inverse, int64_t outs, Lane* taps) {
  constexpr int kSide = F::kPatch, kTaps = F::kTaps, kFilter = kTaps * kTaps;
  const int64_t channels = source.channels;
  gatherTaps<F>(source, o, taps);
  __m512 squares[kPlanes];
  for (__m512& sum : squares) sum = _mm512_setzero_ps();
  for (int64_t c = 0; c < channels; c += 2) {
    __m512 firstHalf[kSide * kTaps], secondHalf[kSide * kTaps], first[kSide], second[kSide];
    filterColumns<F>(taps + c * kFilter, firstHalf);
    filterColumns<F>(taps + (c + 1) * kFilter, secondHalf);
#pragma GCC unroll 6
    for (int i = 0; i < kSide; ++i) {
      filterLine<F>(firstHalf + i * kTaps, first, 1);
      filterLine<F>(secondHalf + i * kTaps, second, 1);
#pragma GCC unroll 6
      for (int j = 0; j < kSide; ++j) {
        __m512& sum = squares[i * kSide + j];
        sum = _mm512_fmadd_ps(second[j], second[j], _mm512_fmadd_ps(first[j], first[j], sum));
      }
    }
  }
  __m512 factor[kPlanes];
  for (int64_t p = 0; p < kPlanes; ++p) {
    factor[p] = factorFor(squares[p]);
    _mm512_storeu_ps(inverse + p * outs, _mm512_mul_ps(inverseFor(squares[p]), _mm512_set1_ps(planeFactor(p))));
  }
  for (int64_t c = 0; c < channels; c += 2) {
    __m512 firstHalf[kSide * kTaps], secondHalf[kSide * kTaps], first[kSide], second[kSide];
    filterColumns<F>(taps + c * kFilter, firstHalf);
    filterColumns<F>(taps + (c + 1) * kFilter, secondHalf);
    Integer* target = u + c / 2 * step * 2 * kLanes;
#pragma GCC unroll 6
    for (int i = 0; i < kSide; ++i) {
      filterLine<F>(firstHalf + i * kTaps, first, 1);
      filterLine<F>(secondHalf + i * kTaps, second, 1);
#pragma GCC unroll 6
      for (int j = 0; j < kSide; ++j) {
        const int p = i * kSide + j;
        _mm512_storeu_si512(target + p * stride, interleaved(first[j], second[j], factor[p]));
      }
    }
  }
}

/// The factors for each of a tile's planes from the squares of its channels, kLanes sums for each plane, and their
/// inverses over kHalfScale.
LDM_VNNI_INLINE void planeFactors(const Lane* squares, float* factor, float* inverse) {
  for (int64_t p = 0; p < kPlanes; p += kLanes) {
    const auto planes = static_cast<__mmask16>(kPlanes - p >= kLanes ? 0xffff : (1 << (kPlanes - p)) - 1);
    const __m512 sums = totals(squares[p]);
    _mm512_mask_storeu_ps(factor + p, planes, factorFor(sums));
    _mm512_mask_storeu_ps(inverse + p, planes, _mm512_mul_ps(inverseFor(sums), _mm512_set1_ps(1 / kHalfScale)));
  }
}

/// The first 2 * kLanes numbers of a row of which there are `left`.
LDM_VNNI_INLINE __mmask32 pairsOf(int64_t left) { return left >= 2 * kLanes ? 0xffffffffu : 0xffffu; }

/// Brings memory into the caches before it is written.
LDM_VNNI_INLINE void fetchToWrite(const void* memory) {
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(memory)));
}

/// The first (`kOdd`: the second) bfloat16 of each pair.
template <bool kOdd>
LDM_VNNI_INLINE __m512 half(__m512i pairs) {
  return _mm512_castsi512_ps(kOdd ? _mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xffff0000)))
                                  : _mm512_slli_epi32(pairs, 16));
}

/// The transform of every second channel of 2 * kLanes of a tile: numbers[plane].
/// @param pixels where the first of these channels lies in each of the tile's pixels
template <bool kOdd>
LDM_VNNI_INLINE void transformChannels(const Bf16Bits* const* pixels, int64_t c, __mmask32 mask, Lane* numbers) {
  constexpr int kSide = Four::kPatch;
  __m512 columns[kPlanes], line[kSide];
#pragma GCC unroll 6
  for (int j = 0; j < kSide; ++j) {
#pragma GCC unroll 6
    for (int i = 0; i < kSide; ++i) line[i] = half<kOdd>(_mm512_maskz_loadu_epi16(mask, pixels[i * kSide + j] + c));
    inputLine(line, columns + j, kSide);
  }
#pragma GCC unroll 6
  for (int i = 0; i < kSide; ++i) {
    inputLine(columns + i * kSide, line, 1);
#pragma GCC unroll 6
    for (int j = 0; j < kSide; ++j) _mm512_storeu_ps(numbers[i * kSide + j], line[j]);
  }
}

/// x[N][H][W][C] -> integers v + plane * stride: [tile][C] for tiles [begin, end) of a block that starts at tile
/// `first`, and their inverse factors inverse[tile][plane].
/// @param scratch 2 * kPlanes for each 2 * kLanes of the channels
/// @param outside C zeros
template <class F>
LDM_VNNI void transformInputs(const Bf16Bits* x, Integer* v, int64_t stride, float* inverse, int64_t channels,
                              const TileGrid& g, int64_t first, int64_t begin, int64_t end, Lane* scratch,
                              const Bf16Bits* outside) {
  constexpr int kSide = Four::kPatch;
  // as many planes as totals() takes
  constexpr int64_t kPadded = (kPlanes + kLanes - 1) / kLanes * kLanes;
  for (int64_t t = begin; t < end; ++t) {
    const auto [image, top, left] = g.place(t);
    const int64_t y0 = top - g.above(), x0 = left - g.before();
    const Bf16Bits* source = x + image * g.sourcePixels() * channels;
    const Bf16Bits* pixels[kPlanes];
    for (int64_t i = 0; i < kPlanes; ++i) {
      const int64_t row = y0 + i / kSide, column = x0 + i % kSide;
      const bool within = row >= 0 && row < g.height && column >= 0 && column < g.width;
      const int64_t pixel = (row >> g.shift) * (g.width >> g.shift) + (column >> g.shift);
      pixels[i] = within ? source + pixel * channels : outside;
    }
    Lane squares[kPadded] = {};
    Lane* numbers = scratch;
    for (int64_t c = 0; c < channels; c += 2 * kLanes, numbers += 2 * kPlanes) {
      fetchNextTile<F>(source + c, channels, g, y0, x0);
      transformChannels<false>(pixels, c, pairsOf(channels - c), numbers);
      transformChannels<true>(pixels, c, pairsOf(channels - c), numbers + kPlanes);
      Integer* target = v + (t - first) * channels + c;
      for (int64_t p = 0; p < kPlanes; ++p, target += stride) {
        fetchToWrite(target);
        const __m512 even = _mm512_loadu_ps(numbers[p]), odd = _mm512_loadu_ps(numbers[kPlanes + p]);
        const __m512 sum = _mm512_fmadd_ps(even, even, _mm512_loadu_ps(squares[p]));
        _mm512_storeu_ps(squares[p], _mm512_fmadd_ps(odd, odd, sum));
      }
    }
    float factor[kPlanes];
    planeFactors(squares, factor, inverse + (t - first) * kPlanes);
    numbers = scratch;
    for (int64_t c = 0; c < channels; c += 2 * kLanes, numbers += 2 * kPlanes) {
      Integer* target = v + (t - first) * channels + c;
      const __mmask32 mask = pairsOf(channels - c);
      for (int64_t p = 0; p < kPlanes; ++p, target += stride)
        _mm512_mask_storeu_epi16(
            target, mask,
            interleaved(_mm512_loadu_ps(numbers[p]), _mm512_loadu_ps(numbers[kPlanes + p]), _mm512_set1_ps(factor[p])));
    }
  }
}

/// The sums over channel pairs of kTiles rows of v times kCount groups of u, times kHalfScale: m[kTiles][outs].
/// @param block, group the sequences of kTiles * kCount and of kCount: indices that are constants from the start are
/// what keeps the sums in registers
template <int64_t kCount, size_t... block, size_t... group>
LDM_VNNI void multiply(const Integer* v, int64_t channels, const Integer* u, Half* m, int64_t outs,
                       std::index_sequence<block...>, std::index_sequence<group...>) {
  __m512i sums[kTiles * kCount];
  ((sums[block] = _mm512_setzero_si512()), ...);
  for (int64_t c = 0; c < channels; c += 2, u += kCount * 2 * kLanes) {
    const __m512i filters[kCount] = {_mm512_loadu_si512(u + group * 2 * kLanes)...};
    (addProducts(sums[block], pairOf(v + block / kCount * channels + c), filters[block % kCount]), ...);
  }
  (storeHalf(_mm512_mul_ps(_mm512_cvtepi32_ps(sums[block]), _mm512_set1_ps(kHalfScale)),
             m + block / kCount * outs + block % kCount * kLanes),
   ...);
}

template <int64_t kCount>
LDM_VNNI void multiplyRows(const Integer* v, int64_t tiles, int64_t channels, const Integer* u, Half* m, int64_t outs) {
  for (int64_t t = 0; t < tiles; t += kTiles)
    multiply<kCount>(v + t * channels, channels, u, m + t * outs, outs, std::make_index_sequence<kTiles * kCount>(),
                     std::make_index_sequence<kCount>());
}

/// One plane's product of `tiles` (a multiple of kTiles) and as many groups of output channels, at most kGroups.
void multiplyPanel(const Integer* v, int64_t tiles, int64_t channels, const Integer* u, Half* m, int64_t outs,
                   int64_t groups) {
  withGroups(groups, [&](auto count) { multiplyRows<count>(v, tiles, channels, u, m, outs); });
}

/// The products m + plane * stride of [tile][outs] -> outs of the `channels` of y[N][H][W][channels], with bias, for
/// tiles [begin, end) of a block that starts at tile `first`. The product of tile t and channel o in plane p is
/// left[t][p] * right[p][o] times what m holds.
/// @tparam kBf16 see storeNarrow()
template <class F, bool kBf16>
LDM_VNNI void transformOutputs(const Half* m, int64_t stride, const float* left, const float* right, int64_t outs,
                               const float* bias, Bf16Bits* y, int64_t channels, const TileGrid& g, int64_t first,
                               int64_t begin, int64_t end) {
  constexpr int kSide = F::kPatch, kTile = F::kTile;
  const int64_t rowStep = g.rowStep() * channels, columnStep = g.columnStep() * channels;
  for (int64_t t = begin; t < end; ++t) {
    const auto [image, y0, x0] = g.place(t);
    const int64_t rows = std::min(F::kTile, g.height - y0), columns = std::min(F::kTile, g.width - x0);
    Bf16Bits* target = y + g.resultAt(image, y0, x0) * channels;
    const float* factors = left + (t - first) * kPlanes;
    for (int64_t c = 0; c < outs; c += kLanes) {
      // in a loop of its own: GCC 12 would keep a pointer for each plane in memory
      Lane product[kPlanes];
      for (int64_t p = 0; p < kPlanes; ++p) {
        const Half* source = m + p * stride + (t - first) * outs + c;
        _mm_prefetch(source + kAhead, _MM_HINT_T0);
        const __m512 scale = _mm512_mul_ps(_mm512_loadu_ps(right + p * outs + c), _mm512_set1_ps(factors[p]));
        _mm512_storeu_ps(product[p], _mm512_mul_ps(loadHalf(source), scale));
      }
      __m512 half[kTile * kSide], line[kSide];
#pragma GCC unroll 6
      for (int j = 0; j < kSide; ++j) {
#pragma GCC unroll 6
        for (int i = 0; i < kSide; ++i) line[i] = _mm512_loadu_ps(product[i * kSide + j]);
        outputLine<F>(line, half + j, kSide);
      }
      const __m512 offset = _mm512_loadu_ps(bias + c);
#pragma GCC unroll 5
      for (int i = 0; i < kTile; ++i) {
        if (i == rows) break;
        outputLine<F>(half + i * kSide, line, 1);
#pragma GCC unroll 5
        for (int j = 0; j < kTile; ++j)
          if (j < columns)
            storeNarrow<kBf16>(_mm512_add_ps(line[j], offset), target + i * rowStep + j * columnStep + c);
      }
    }
  }
}

/// Format of convolveByPanels().
template <class F>
class FixedPoint {
 public:
  using Image = Bf16Bits;
  using Number = Integer;
  using Product = Half;
  static constexpr int64_t kPair = 2, kHeldFilters = int64_t{5} << 20;

  FixedPoint(int64_t tiles, int64_t outs)
      : left_(static_cast<size_t>(tiles * kPlanes)), right_(static_cast<size_t>(kPlanes * outs)) {}
  template <class T>
  void filters(const Filters<T>& source, int64_t o, int64_t to, Number* u, int64_t stride, int64_t step, int64_t outs,
               Lane* taps) {
    transformFilters<F>(source, o, u, stride, step, right_.data() + to, outs, taps);
  }
  void inputs(const Image* x, Number* v, int64_t stride, int64_t channels, const TileGrid& g, int64_t first,
              int64_t begin, int64_t end) {
    std::vector<float> scratch(static_cast<size_t>(kPlanes * (channels + kLanes)));
    const std::vector<Image> outside(static_cast<size_t>(channels));
    transformInputs<F>(x, v, stride, left_.data(), channels, g, first, begin, end,
                       reinterpret_cast<Lane*>(scratch.data()), outside.data());
  }
  static void multiply(const Number* v, int64_t tiles, int64_t channels, const Number* u, Product* m, int64_t outs,
                       int64_t groups) {
    multiplyPanel(v, tiles, channels, u, m, outs, groups);
  }
  void outputs(const Product* m, int64_t stride, int64_t outs, const float* bias, Image* y, int64_t channels,
               const TileGrid& g, int64_t first, int64_t begin, int64_t end) const {
    const auto transform = hasBf16() ? transformOutputs<F, true> : transformOutputs<F, false>;
    const float* left = left_.data() + first * kPlanes % static_cast<int64_t>(left_.size());
    transform(m, stride, left, right_.data(), outs, bias, y, channels, g, first, begin, end);
  }

 private:
  std::vector<float> left_, right_;  ///< inverse factors [held tile][plane] of inputs and [plane][outs] of filters
};

}  // namespace

at::Tensor winogradFixedConv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool doubled,
                                bool transposed) {
  const at::Tensor image = x.contiguous(at::MemoryFormat::ChannelsLast), w = weight.contiguous();
  const int64_t out = w.size(transposed ? 1 : 0);
  const at::Tensor offset = bias.defined() ? bias.to(at::kFloat).contiguous() : at::zeros({out}, at::kFloat);
  const auto convolve = [&]<class T>(const T* filters) {
    return convolveByPanels<FixedPoint>(image, Filters<T>{filters, out, image.size(1), transposed}, offset, doubled);
  };
  return w.scalar_type() == at::kFloat ? convolve(w.const_data_ptr<float>())
                                       : convolve(static_cast<const Bf16Bits*>(w.const_data_ptr()));
}

}  // namespace ldm

#else

namespace ldm {

namespace {
bool hasVnni() { return false; }
}  // namespace

at::Tensor winogradFixedConv3x3(const at::Tensor&, const at::Tensor&, const at::Tensor&, bool, bool) {
  TORCH_CHECK(false, "winogradFixedConv3x3 needs AVX-512 VNNI");
}

}  // namespace ldm

#endif

namespace ldm {

bool winogradFixedSuits(const at::Tensor& x, const at::Tensor& weight, bool doubled) {
  if (!hasVnni() || weight.size(2) != 3 || weight.size(3) != 3) return false;
  const int64_t in = weight.size(1), out = weight.size(0), factor = doubled ? 2 : 1;
  if (in % kLanes || out % kLanes || in < 64 || out < 64) return false;
  // Transforming the filters has to be little beside the products.
  const int64_t height = x.size(2) * factor, width = x.size(3) * factor;
  return x.size(0) * height * width >= 256 && height >= 8 && width >= 8;
}

}  // namespace ldm
