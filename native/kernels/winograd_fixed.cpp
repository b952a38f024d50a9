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

/// Six values from three taps, without the factors of planeFactor(), as the other lines of transforms.
LDM_VNNI_INLINE void filterLine(__m512 a, __m512 b, __m512 c, __m512* out, int step) {
  const __m512 near = _mm512_set1_ps(kNear), far = _mm512_set1_ps(kFar);
  const __m512 evenNear = _mm512_fmadd_ps(c, _mm512_set1_ps(kNear2), a);
  const __m512 evenFar = _mm512_fmadd_ps(c, _mm512_set1_ps(kFar2), a);
  out[0] = a;
  out[step] = _mm512_fmadd_ps(b, near, evenNear);
  out[2 * step] = _mm512_fnmadd_ps(b, near, evenNear);
  out[3 * step] = _mm512_fmadd_ps(b, far, evenFar);
  out[4 * step] = _mm512_fnmadd_ps(b, far, evenFar);
  out[5 * step] = c;
}

/// By which the transformed filters of a plane have to be multiplied still.
constexpr float planeFactor(int64_t plane) {
  constexpr float near = 1 / (2 * kNear2 * (kNear2 - kFar2)), far = 1 / (2 * kFar2 * (kFar2 - kNear2));
  constexpr float lines[Four::kPatch] = {1 / (kNear2 * kFar2), near, near, far, far, 1};
  return lines[plane / Four::kPatch] * lines[plane % Four::kPatch];
}

/// Four outputs from six products.
LDM_VNNI_INLINE void outputLine(const __m512* in, __m512* out, int step) {
  const __m512 near = _mm512_add_ps(in[1], in[2]), nearOdd = _mm512_sub_ps(in[1], in[2]);
  const __m512 far = _mm512_add_ps(in[3], in[4]), farOdd = _mm512_sub_ps(in[3], in[4]);
  out[0] = _mm512_add_ps(in[0], _mm512_add_ps(near, far));
  out[step] = _mm512_fmadd_ps(_mm512_set1_ps(kNear), nearOdd, _mm512_mul_ps(_mm512_set1_ps(kFar), farOdd));
  out[2 * step] = _mm512_fmadd_ps(_mm512_set1_ps(kNear2), near, _mm512_mul_ps(_mm512_set1_ps(kFar2), far));
  out[3 * step] =
      _mm512_fmadd_ps(_mm512_set1_ps(kNear3), nearOdd, _mm512_fmadd_ps(_mm512_set1_ps(kFar3), farOdd, in[5]));
}

/// The three columns of filters -> the first half of their transform, [6][3].
LDM_VNNI_INLINE void filterColumns(const Lane* taps, __m512* half) {
#pragma GCC unroll 3
  for (int j = 0; j < 3; ++j)
    filterLine(_mm512_loadu_ps(taps[j]), _mm512_loadu_ps(taps[3 + j]), _mm512_loadu_ps(taps[6 + j]), half + j, 3);
}

/// The kLanes output channels from o on -> their integers at u + plane * stride: [c / 2][step][kLanes][2], of which
/// these channels have one in `step`; and the inverse factors at inverse[plane][outs].
/// @param taps scratch memory, 9 for each of the channels
template <class T>
LDM_VNNI void transformFilters(const Filters<T>& source, int64_t o, Integer* u, int64_t stride, int64_t step,
                               float* inverse, int64_t outs, Lane* taps) {
  constexpr int kSide = Four::kPatch;
  const int64_t channels = source.channels;
  gatherTaps(source, o, taps);
  __m512 squares[kPlanes];
  for (__m512& sum : squares) sum = _mm512_setzero_ps();
  for (int64_t c = 0; c < channels; ++c) {
    __m512 half[kSide * 3], line[kSide];
    filterColumns(taps + c * 9, half);
#pragma GCC unroll 6
    for (int i = 0; i < kSide; ++i) {
      filterLine(half[i * 3], half[i * 3 + 1], half[i * 3 + 2], line, 1);
#pragma GCC unroll 6
      for (int j = 0; j < kSide; ++j)
        squares[i * kSide + j] = _mm512_fmadd_ps(line[j], line[j], squares[i * kSide + j]);
    }
  }
  __m512 factor[kPlanes];
  for (int64_t p = 0; p < kPlanes; ++p) {
    factor[p] = factorFor(squares[p]);
    _mm512_storeu_ps(inverse + p * outs, _mm512_mul_ps(inverseFor(squares[p]), _mm512_set1_ps(planeFactor(p))));
  }
  for (int64_t c = 0; c < channels; c += 2) {
    __m512 firstHalf[kSide * 3], secondHalf[kSide * 3], first[kSide], second[kSide];
    filterColumns(taps + c * 9, firstHalf);
    filterColumns(taps + (c + 1) * 9, secondHalf);
    Integer* target = u + c / 2 * step * 2 * kLanes;
#pragma GCC unroll 6
    for (int i = 0; i < kSide; ++i) {
      filterLine(firstHalf[i * 3], firstHalf[i * 3 + 1], firstHalf[i * 3 + 2], first, 1);
      filterLine(secondHalf[i * 3], secondHalf[i * 3 + 1], secondHalf[i * 3 + 2], second, 1);
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

/// A plane's numbers times a factor, rounded to integers.
/// @param numbers those of kLanes channels, each kPlanes Lanes after the ones before
LDM_VNNI_INLINE void roundPlane(const Lane* numbers, float factor, Integer* to, int64_t channels) {
  // the lower halves of two registers
  alignas(64) static constexpr Integer kEven[2 * kLanes] = {0,  2,  4,  6,  8,  10, 12, 14, 16, 18, 20,
                                                            22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42,
                                                            44, 46, 48, 50, 52, 54, 56, 58, 60, 62};
  const __m512i even = _mm512_load_si512(kEven);
  const __m512 scale = _mm512_set1_ps(factor), toInteger = _mm512_set1_ps(kToInteger);
  const auto rounded = [&](int64_t c) __attribute__((always_inline, target("avx512f"))) {
    return _mm512_castps_si512(_mm512_fmadd_ps(_mm512_loadu_ps(numbers[c / kLanes * kPlanes]), scale, toInteger));
  };
  int64_t c = 0;
  for (; c + 2 * kLanes <= channels; c += 2 * kLanes)
    _mm512_storeu_si512(to + c, _mm512_permutex2var_epi16(rounded(c), even, rounded(c + kLanes)));
  if (c < channels) _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + c), _mm512_cvtepi32_epi16(rounded(c)));
}

/// x[N][H][W][C] -> integers v + plane * stride: [tile][C] for tiles [begin, end) of a block that starts at tile
/// `first`, and their inverse factors inverse[tile][plane].
/// @param scratch kPlanes for each kLanes of the channels
/// @param outside C zeros
LDM_VNNI void transformInputs(const Bf16Bits* x, Integer* v, int64_t stride, float* inverse, int64_t channels,
                              const TileGrid& g, int64_t first, int64_t begin, int64_t end, Lane* scratch,
                              const Bf16Bits* outside) {
  constexpr int kSide = Four::kPatch;
  // as many planes as totals() takes
  constexpr int64_t kPadded = (kPlanes + kLanes - 1) / kLanes * kLanes;
  for (int64_t t = begin; t < end; ++t) {
    const auto [image, top, left] = g.place(t);
    const int64_t y0 = top - 1, x0 = left - 1;
    const Bf16Bits* source = x + image * g.sourcePixels() * channels;
    const Bf16Bits* pixels[kPlanes];
    for (int64_t i = 0; i < kPlanes; ++i) {
      const int64_t row = y0 + i / kSide, column = x0 + i % kSide;
      const bool within = row >= 0 && row < g.height && column >= 0 && column < g.width;
      const int64_t pixel = (row >> g.shift) * (g.width >> g.shift) + (column >> g.shift);
      pixels[i] = within ? source + pixel * channels : outside;
    }
    Lane squares[kPadded] = {};
    for (int64_t c = 0; c < channels; c += kLanes) {
      if (c % (2 * kLanes) == 0) fetchNextTile(source + c, channels, g, y0, x0);
      __m512 half[kPlanes], line[kSide];
#pragma GCC unroll 6
      for (int j = 0; j < kSide; ++j) {
#pragma GCC unroll 6
        for (int i = 0; i < kSide; ++i) line[i] = loadWide(pixels[i * kSide + j] + c);
        inputLine(line, half + j, kSide);
      }
#pragma GCC unroll 6
      for (int i = 0; i < kSide; ++i) {
        inputLine(half + i * kSide, line, 1);
#pragma GCC unroll 6
        for (int j = 0; j < kSide; ++j) {
          const int p = i * kSide + j;
          _mm512_storeu_ps(scratch[c / kLanes * kPlanes + p], line[j]);
          _mm512_storeu_ps(squares[p], _mm512_fmadd_ps(line[j], line[j], _mm512_loadu_ps(squares[p])));
        }
      }
    }
    float factor[kPlanes];
    planeFactors(squares, factor, inverse + (t - first) * kPlanes);
    for (int64_t p = 0; p < kPlanes; ++p)
      roundPlane(scratch + p, factor[p], v + p * stride + (t - first) * channels, channels);
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

/// Rounds to bfloat16. @tparam kBf16 whether the processor has an instruction for it
template <bool kBf16>
LDM_VNNI_INLINE void storeRounded(__m512 value, Bf16Bits* to) {
  if constexpr (kBf16) {
    __m256i rounded;
    asm("vcvtneps2bf16 %1, %0" : "=v"(rounded) : "v"(value));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), rounded);
  } else {
    storeNarrow(value, to);
  }
}

/// The products m + plane * stride of [tile][outs] -> outs of the `channels` of y[N][H][W][channels], with bias, for
/// tiles [begin, end) of a block that starts at tile `first`. The product of tile t and channel o in plane p is
/// left[t][p] * right[p][o] times what m holds.
template <bool kBf16>
LDM_VNNI void transformOutputs(const Half* m, int64_t stride, const float* left, const float* right, int64_t outs,
                               const float* bias, Bf16Bits* y, int64_t channels, const TileGrid& g, int64_t first,
                               int64_t begin, int64_t end) {
  constexpr int kSide = Four::kPatch, kTile = Four::kTile;
  for (int64_t t = begin; t < end; ++t) {
    const auto [image, y0, x0] = g.place(t);
    const int64_t rows = std::min(Four::kTile, g.height - y0), columns = std::min(Four::kTile, g.width - x0);
    Bf16Bits* target = y + ((image * g.height + y0) * g.width + x0) * channels;
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
        outputLine(line, half + j, kSide);
      }
      const __m512 offset = _mm512_loadu_ps(bias + c);
#pragma GCC unroll 4
      for (int i = 0; i < kTile; ++i) {
        if (i == rows) break;
        outputLine(half + i * kSide, line, 1);
#pragma GCC unroll 4
        for (int j = 0; j < kTile; ++j)
          if (j < columns)
            storeRounded<kBf16>(_mm512_add_ps(line[j], offset), target + (i * g.width + j) * channels + c);
      }
    }
  }
}

/// Format of convolveByPanels().
class FixedPoint {
 public:
  using Image = Bf16Bits;
  using Number = Integer;
  using Product = Half;
  static constexpr int64_t kPair = 2;

  FixedPoint(int64_t tiles, int64_t outs)
      : left_(static_cast<size_t>(tiles * kPlanes)), right_(static_cast<size_t>(kPlanes * outs)) {}
  template <class T>
  void filters(const Filters<T>& source, int64_t o, int64_t to, Number* u, int64_t stride, int64_t step, int64_t outs,
               Lane* taps) {
    transformFilters(source, o, u, stride, step, right_.data() + to, outs, taps);
  }
  void inputs(const Image* x, Number* v, int64_t stride, int64_t channels, const TileGrid& g, int64_t first,
              int64_t begin, int64_t end) {
    std::vector<float> scratch(static_cast<size_t>(kPlanes * channels));
    const std::vector<Image> outside(static_cast<size_t>(channels));
    transformInputs(x, v, stride, left_.data(), channels, g, first, begin, end, reinterpret_cast<Lane*>(scratch.data()),
                    outside.data());
  }
  static void multiply(const Number* v, int64_t tiles, int64_t channels, const Number* u, Product* m, int64_t outs,
                       int64_t groups) {
    multiplyPanel(v, tiles, channels, u, m, outs, groups);
  }
  void outputs(const Product* m, int64_t stride, int64_t outs, const float* bias, Image* y, int64_t channels,
               const TileGrid& g, int64_t first, int64_t begin, int64_t end) const {
    const auto transform = hasBf16() ? transformOutputs<true> : transformOutputs<false>;
    transform(m, stride, left_.data(), right_.data(), outs, bias, y, channels, g, first, begin, end);
  }

 private:
  std::vector<float> left_, right_;  ///< inverse factors [tile][plane] of inputs and [plane][outs] of filters
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
