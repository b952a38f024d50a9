#include "winograd_fixed.h"

#include "winograd_panels.h"

#ifdef LDM_AVX512

/// For functions that are called only where available().
#define LDM_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define LDM_VNNI_INLINE LDM_VNNI inline __attribute__((always_inline))

namespace ldm {

namespace {

using Integer = int16_t;

/// The norm of what is multiplied: a little below 2^15, so that no integer leaves its 16 bits.
constexpr float kNorm = 32736.f;

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

/// The factor that brings numbers with this sum of squares to kNorm.
LDM_VNNI_INLINE __m512 factorFor(__m512 squares) {
  const __m512 zero = _mm512_setzero_ps();
  const __m512 factor = _mm512_div_ps(_mm512_set1_ps(kNorm), _mm512_sqrt_ps(squares));
  return _mm512_mask_mov_ps(factor, _mm512_cmp_ps_mask(squares, zero, _CMP_EQ_OQ), zero);
}
/// Its inverse; not a number where the sum of squares is none.
LDM_VNNI_INLINE __m512 inverseFor(__m512 squares) {
  return _mm512_mul_ps(_mm512_sqrt_ps(squares), _mm512_set1_ps(1 / kNorm));
}

/// weight[o][c][3][3] of kLanes output channels -> their integers at u + plane * stride: [c / 2][step][kLanes][2], of
/// which these channels have one in `step`; and the inverse factors at inverse[plane][outs].
/// @param taps scratch memory, 9 for each of the channels
LDM_VNNI void transformFilters(const Bf16Bits* weight, Integer* u, int64_t stride, int64_t step, float* inverse,
                               int64_t outs, int64_t channels, Lane* taps) {
  gatherTaps(weight, channels, taps);
  Lane squares[kPlanes] = {}, first[kPlanes], second[kPlanes];
  for (int64_t c = 0; c < channels; ++c) {
    filterOf(taps + c * 9, first);
    for (int64_t p = 0; p < kPlanes; ++p)
      for (int64_t k = 0; k < kLanes; ++k) squares[p][k] += first[p][k] * first[p][k];
  }
  Lane factor[kPlanes];
  for (int64_t p = 0; p < kPlanes; ++p) {
    const __m512 sum = _mm512_loadu_ps(squares[p]);
    _mm512_storeu_ps(factor[p], factorFor(sum));
    _mm512_storeu_ps(inverse + p * outs, inverseFor(sum));
  }
  for (int64_t c = 0; c < channels; c += 2) {
    filterOf(taps + c * 9, first);
    filterOf(taps + (c + 1) * 9, second);
    for (int64_t p = 0; p < kPlanes; ++p) {
      const __m512 scale = _mm512_loadu_ps(factor[p]);
      const __m512i low = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(first[p]), scale));
      const __m512i high = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(second[p]), scale));
      const __m512i pair = _mm512_mask_mov_epi16(low, 0xaaaaaaaa, _mm512_slli_epi32(high, 16));
      _mm512_storeu_si512(u + p * stride + c / 2 * step * 2 * kLanes, pair);
    }
  }
}

/// x[N][H][W][C] -> integers v + plane * stride: [tile][C] for tiles [begin, end) of a block that starts at tile
/// `first`, and their inverse factors inverse[tile][plane].
/// @param scratch kPlanes * C numbers
LDM_VNNI void transformInputs(const Bf16Bits* x, Integer* v, int64_t stride, float* inverse, int64_t channels,
                              const TileGrid& g, int64_t first, int64_t begin, int64_t end, float* scratch) {
  for (int64_t t = begin; t < end; ++t) {
    const auto [image, top, left] = g.place(t);
    const int64_t y0 = top - 1, x0 = left - 1;
    const Bf16Bits* source = x + image * g.sourcePixels() * channels;
    Lane squares[kPlanes] = {};
    for (int64_t c = 0; c < channels; c += kLanes) {
      if (c % (2 * kLanes) == 0) fetchNextTile(source + c, channels, g, y0, x0);
      Lane patch[kPlanes], full[kPlanes];
      gather<Four::kPatch>(source + c, patch, channels, g, y0, x0);
      inputOf(patch, full);
      for (int64_t p = 0; p < kPlanes; ++p) {
        const __m512 value = _mm512_loadu_ps(full[p]);
        _mm512_storeu_ps(scratch + p * channels + c, value);
        _mm512_storeu_ps(squares[p], _mm512_fmadd_ps(value, value, _mm512_loadu_ps(squares[p])));
      }
    }
    for (int64_t p = 0; p < kPlanes; ++p) {
      const __m512 sum = _mm512_set1_ps(_mm512_reduce_add_ps(_mm512_loadu_ps(squares[p])));
      const __m512 factor = factorFor(sum);
      inverse[(t - first) * kPlanes + p] = _mm512_cvtss_f32(inverseFor(sum)) / kHalfScale;
      Integer* target = v + p * stride + (t - first) * channels;
      for (int64_t c = 0; c < channels; c += kLanes) {
        const __m512i value = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(scratch + p * channels + c), factor));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(target + c), _mm512_cvtsepi32_epi16(value));
      }
    }
  }
}

/// The channels c and c + 1 of a tile, in every lane.
LDM_VNNI_INLINE __m512i pairOf(const Integer* row) {
  int32_t pair;
  std::memcpy(&pair, row, sizeof(pair));
  return _mm512_set1_epi32(pair);
}

/// Adds a[2i] b[2i] + a[2i + 1] b[2i + 1] to each of `sums`: _mm512_dpwssd_epi32, around which GCC 12 copies its sums
/// to other registers and to memory.
LDM_VNNI_INLINE void addProducts(__m512i& sums, __m512i a, __m512i b) {
  asm("vpdpwssd %2, %1, %0" : "+v"(sums) : "v"(a), "v"(b));
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
LDM_VNNI void multiplyPanel(const Integer* v, int64_t tiles, int64_t channels, const Integer* u, Half* m, int64_t outs,
                            int64_t groups) {
  constexpr decltype(&multiplyRows<1>) byGroups[kGroups] = {multiplyRows<1>, multiplyRows<2>, multiplyRows<3>,
                                                            multiplyRows<4>};
  byGroups[groups - 1](v, tiles, channels, u, m, outs);
}

/// The products m + plane * stride of [tile][outs] -> outs of the `channels` of y[N][H][W][channels], with bias, for
/// tiles [begin, end) of a block that starts at tile `first`. The product of tile t and channel o in plane p is
/// left[t][p] * right[p][o] times what m holds.
LDM_VNNI void transformOutputs(const Half* m, int64_t stride, const float* left, const float* right, int64_t outs,
                               const float* bias, Bf16Bits* y, int64_t channels, const TileGrid& g, int64_t first,
                               int64_t begin, int64_t end) {
  for (int64_t t = begin; t < end; ++t) {
    const auto [image, y0, x0] = g.place(t);
    const int64_t rows = std::min(Four::kTile, g.height - y0), columns = std::min(Four::kTile, g.width - x0);
    Bf16Bits* target = y + ((image * g.height + y0) * g.width + x0) * channels;
    for (int64_t c = 0; c < outs; c += kLanes) {
      Lane product[kPlanes], full[Four::kTile * Four::kTile];
      for (int64_t p = 0; p < kPlanes; ++p) {
        const Half* source = m + p * stride + (t - first) * outs + c;
        _mm_prefetch(source + kAhead, _MM_HINT_T0);
        const __m512 scale =
            _mm512_mul_ps(_mm512_loadu_ps(right + p * outs + c), _mm512_set1_ps(left[(t - first) * kPlanes + p]));
        _mm512_storeu_ps(product[p], _mm512_mul_ps(loadHalf(source), scale));
      }
      outputOf(product, full);
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j) {
          Lane& value = full[i * Four::kTile + j];
          for (int64_t k = 0; k < kLanes; ++k) value[k] += bias[c + k];
          store(value, target + (i * g.width + j) * channels + c);
        }
    }
  }
}

bool available() { return hasAvx512() && __builtin_cpu_supports("avx512vnni"); }

/// Format of convolveByPanels().
class FixedPoint {
 public:
  using Image = Bf16Bits;
  using Number = Integer;
  using Product = Half;
  static constexpr int64_t kPair = 2;

  FixedPoint(int64_t tiles, int64_t outs)
      : left_(static_cast<size_t>(tiles * kPlanes)), right_(static_cast<size_t>(kPlanes * outs)) {}
  void filters(const Image* weight, Number* u, int64_t stride, int64_t step, int64_t outs, int64_t o, int64_t channels,
               Lane* taps) {
    transformFilters(weight, u, stride, step, right_.data() + o, outs, channels, taps);
  }
  void inputs(const Image* x, Number* v, int64_t stride, int64_t channels, const TileGrid& g, int64_t first,
              int64_t begin, int64_t end) {
    std::vector<float> scratch(static_cast<size_t>(kPlanes * channels));
    transformInputs(x, v, stride, left_.data(), channels, g, first, begin, end, scratch.data());
  }
  static void multiply(const Number* v, int64_t tiles, int64_t channels, const Number* u, Product* m, int64_t outs,
                       int64_t groups) {
    multiplyPanel(v, tiles, channels, u, m, outs, groups);
  }
  void outputs(const Product* m, int64_t stride, int64_t outs, const float* bias, Image* y, int64_t channels,
               const TileGrid& g, int64_t first, int64_t begin, int64_t end) const {
    transformOutputs(m, stride, left_.data(), right_.data(), outs, bias, y, channels, g, first, begin, end);
  }

 private:
  std::vector<float> left_, right_;  ///< inverse factors [tile][plane] of inputs and [plane][outs] of filters
};

}  // namespace

at::Tensor winogradFixedConv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool doubled) {
  const at::Tensor offset = bias.defined() ? bias.to(at::kFloat).contiguous() : at::zeros({weight.size(0)}, at::kFloat);
  return convolveByPanels<FixedPoint>(x.contiguous(at::MemoryFormat::ChannelsLast), weight.contiguous(), offset,
                                      doubled);
}

}  // namespace ldm

#else

namespace ldm {

namespace {
bool available() { return false; }
}  // namespace

at::Tensor winogradFixedConv3x3(const at::Tensor&, const at::Tensor&, const at::Tensor&, bool) {
  TORCH_CHECK(false, "winogradFixedConv3x3 needs AVX-512 VNNI");
}

}  // namespace ldm

#endif

namespace ldm {

bool winogradFixedSuits(const at::Tensor& x, const at::Tensor& weight, bool doubled) {
  if (x.scalar_type() != at::kBFloat16 || !available() || weight.size(2) != 3 || weight.size(3) != 3) return false;
  const int64_t in = weight.size(1), out = weight.size(0), factor = doubled ? 2 : 1;
  if (in % kLanes || out % kLanes || in < 64 || out < 64) return false;
  // Transforming the filters has to be little beside the products.
  const int64_t height = x.size(2) * factor, width = x.size(3) * factor;
  return x.size(0) * height * width >= 256 && height >= 8 && width >= 8;
}

}  // namespace ldm
