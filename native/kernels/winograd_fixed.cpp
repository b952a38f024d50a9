#include "winograd_fixed.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "winograd_transforms.h"
#include "workspace.h"

#ifdef LDM_AVX512
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12 warns of its own intrinsics
#endif
#include <immintrin.h>

#include <algorithm>
#include <utility>
#include <vector>

/// For functions that are called only where available().
#define LDM_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define LDM_VNNI_INLINE LDM_VNNI inline __attribute__((always_inline))

namespace ldm {

namespace {

using Integer = int16_t;

constexpr int64_t kPlanes = Four::kPlanes;
/// Transformed filters that are held at a time.
constexpr int64_t kHeldFilters = int64_t{10} << 20;
/// Tiles whose transformed inputs and products are held at a time.
constexpr int64_t kHeldTiles = 96;
/// The block of products that is held in registers: tiles by groups of kLanes output channels.
constexpr int64_t kTiles = 6, kGroups = 4;
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

/// How far ahead of the numbers that are read others are fetched: there are too many streams for the processor to
/// follow.
constexpr int64_t kAhead = 8 * kLanes;

/// Distance of two planes of `count` numbers. Planes a power of two apart would share their places in the caches.
constexpr int64_t planeStride(int64_t count) { return count + 17 * kLanes; }

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

LDM_VNNI_INLINE void transpose(__m512* r) {
  __m512 t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int b = 0; b < 16; b += 4)
    for (int j = 0; j < 2; ++j) {
      const __m512d low = _mm512_castps_pd(t[b + j]), high = _mm512_castps_pd(t[b + j + 2]);
      r[b + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
      r[b + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
    }
  for (int j = 0; j < 4; ++j) {
    const __m512 a = _mm512_shuffle_f32x4(r[j], r[4 + j], 0x88), b = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0x88);
    const __m512 c = _mm512_shuffle_f32x4(r[j], r[4 + j], 0xdd), d = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0xdd);
    t[j] = _mm512_shuffle_f32x4(a, b, 0x88);
    t[8 + j] = _mm512_shuffle_f32x4(a, b, 0xdd);
    t[4 + j] = _mm512_shuffle_f32x4(c, d, 0x88);
    t[12 + j] = _mm512_shuffle_f32x4(c, d, 0xdd);
  }
  for (int i = 0; i < 16; ++i) r[i] = t[i];
}

/// The 36 values of kLanes filters from their 9 taps.
LDM_VNNI_INLINE void filterOf(const Lane* taps, Lane* full) {
  Lane half[Four::kPatch * 3];
  for (int64_t j = 0; j < 3; ++j) Four::filter(taps + j, half + j, 3, 3);
  for (int64_t i = 0; i < Four::kPatch; ++i) Four::filter(half + i * 3, full + i * Four::kPatch, 1, 1);
}

/// weight[o][c][3][3] of kLanes output channels -> their integers at u + plane * stride: [c / 2][step][kLanes][2], of
/// which these channels have one in `step`; and the inverse factors at inverse[plane][outs].
/// @param taps scratch memory, 9 for each of the channels
LDM_VNNI void transformFilters(const Bf16Bits* weight, Integer* u, int64_t stride, int64_t step, float* inverse,
                               int64_t outs, int64_t channels, Lane* taps) {
  for (int64_t e = 0; e < channels * 9; e += kLanes) {
    __m512 rows[kLanes];
    for (int64_t o = 0; o < kLanes; ++o) {
      const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weight + o * channels * 9 + e));
      rows[o] = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
    }
    transpose(rows);
    for (int64_t k = 0; k < kLanes; ++k) _mm512_storeu_ps(taps[e + k], rows[k]);
  }
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

/// Fetches the pixels that the tile to the right has beyond those of the tile at (y0, x0).
LDM_VNNI_INLINE void fetchNextTile(const Bf16Bits* x, int64_t channels, const TileGrid& g, int64_t y0, int64_t x0) {
  for (int64_t i = 0; i < Four::kPatch; ++i)
    for (int64_t j = Four::kPatch; j < Four::kPatch + Four::kTile; ++j) {
      const int64_t row = (y0 + i) >> g.shift, column = (x0 + j) >> g.shift;
      _mm_prefetch(x + (row * (g.width >> g.shift) + column) * channels, _MM_HINT_T0);
    }
}

/// x[N][H][W][C] -> integers v + plane * stride: [tile][C] for tiles [begin, end) of a block that starts at tile
/// `first`, and their inverse factors inverse[tile][plane].
/// @param scratch kPlanes * C numbers
LDM_VNNI void transformInputs(const Bf16Bits* x, Integer* v, int64_t stride, float* inverse, int64_t channels,
                              const TileGrid& g, int64_t first, int64_t begin, int64_t end, float* scratch) {
  for (int64_t t = begin; t < end; ++t) {
    const int64_t image = t / (g.tilesY * g.tilesX), inside = t % (g.tilesY * g.tilesX);
    const int64_t y0 = inside / g.tilesX * Four::kTile - 1, x0 = inside % g.tilesX * Four::kTile - 1;
    const Bf16Bits* source = x + image * g.sourcePixels() * channels;
    Lane squares[kPlanes] = {};
    for (int64_t c = 0; c < channels; c += kLanes) {
      if (c % (2 * kLanes) == 0) fetchNextTile(source + c, channels, g, y0, x0);
      Lane patch[kPlanes], half[kPlanes], full[kPlanes];
      gather<Four::kPatch>(source + c, patch, channels, g, y0, x0);
      for (int64_t j = 0; j < Four::kPatch; ++j) Four::input(patch + j, half + j, Four::kPatch, Four::kPatch);
      for (int64_t i = 0; i < Four::kPatch; ++i) Four::input(half + i * Four::kPatch, full + i * Four::kPatch, 1, 1);
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
    const int64_t image = t / (g.tilesY * g.tilesX), inside = t % (g.tilesY * g.tilesX);
    const int64_t y0 = inside / g.tilesX * Four::kTile, x0 = inside % g.tilesX * Four::kTile;
    const int64_t rows = std::min(Four::kTile, g.height - y0), columns = std::min(Four::kTile, g.width - x0);
    Bf16Bits* target = y + ((image * g.height + y0) * g.width + x0) * channels;
    for (int64_t c = 0; c < outs; c += kLanes) {
      Lane product[kPlanes], half[Four::kTile * Four::kPatch], full[Four::kTile * Four::kTile];
      for (int64_t p = 0; p < kPlanes; ++p) {
        const Half* source = m + p * stride + (t - first) * outs + c;
        _mm_prefetch(source + kAhead, _MM_HINT_T0);
        const __m512 scale =
            _mm512_mul_ps(_mm512_loadu_ps(right + p * outs + c), _mm512_set1_ps(left[(t - first) * kPlanes + p]));
        _mm512_storeu_ps(product[p], _mm512_mul_ps(loadHalf(source), scale));
      }
      for (int64_t j = 0; j < Four::kPatch; ++j) Four::output(product + j, half + j, Four::kPatch, Four::kPatch);
      for (int64_t i = 0; i < Four::kTile; ++i) Four::output(half + i * Four::kPatch, full + i * Four::kTile, 1, 1);
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

const Bf16Bits* read(const at::Tensor& t) { return static_cast<const Bf16Bits*>(t.const_data_ptr()); }

}  // namespace

at::Tensor winogradFixedConv3x3(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias,
                                bool doubled) {
  const at::Tensor x = input.contiguous(at::MemoryFormat::ChannelsLast), w = weight.contiguous();
  const at::Tensor offset = bias.defined() ? bias.to(at::kFloat).contiguous() : at::zeros({weight.size(0)}, at::kFloat);
  const int64_t batch = x.size(0), in = x.size(1), out = weight.size(0), factor = doubled ? 2 : 1;
  const TileGrid g(x.size(2) * factor, x.size(3) * factor, Four::kTile, doubled);
  const at::Tensor y =
      at::empty({batch, out, g.height, g.width}, x.options().memory_format(at::MemoryFormat::ChannelsLast));
  auto* target = static_cast<Bf16Bits*>(y.mutable_data_ptr());
  const int64_t tiles = batch * g.tilesY * g.tilesX;
  const auto rounded = [](int64_t count) { return (count + kTiles - 1) / kTiles * kTiles; };
  const int64_t tileBlock = std::min(kHeldTiles, rounded(tiles));
  constexpr int64_t kPanel = kGroups * kLanes;
  // Where one block has all tiles, each filter is used once, and the fewer there are at a time the closer they stay.
  const int64_t most = tiles > kHeldTiles ? kHeldFilters / (kPlanes * in * kPanel) * kPanel : 0;
  const int64_t outBlock = std::min(out, std::max(kPanel, most));
  const int64_t uStride = planeStride(outBlock * in), vStride = planeStride(tileBlock * in),
                mStride = planeStride(tileBlock * outBlock);
  const at::Tensor filters = workspace(0, kPlanes * uStride / 2), inputs = workspace(1, kPlanes * vStride / 2),
                   products = workspace(2, kPlanes * mStride / 2);
  auto *u = static_cast<Integer*>(filters.mutable_data_ptr()), *v = static_cast<Integer*>(inputs.mutable_data_ptr());
  auto* m = static_cast<Half*>(products.mutable_data_ptr());
  std::vector<float> left(static_cast<size_t>(tileBlock * kPlanes)), right(static_cast<size_t>(kPlanes * outBlock));

  for (int64_t firstOut = 0; firstOut < out; firstOut += outBlock) {
    const int64_t outs = std::min(outBlock, out - firstOut), groups = outs / kLanes;
    at::parallel_for(0, groups, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> taps(static_cast<size_t>(in * 9 * kLanes));
      for (int64_t group = begin; group < end; ++group) {
        const int64_t panel = group / kGroups * kGroups, width = std::min(kGroups, groups - panel);
        transformFilters(read(w) + (firstOut + group * kLanes) * in * 9,
                         u + panel * kLanes * in + (group - panel) * 2 * kLanes, uStride, width,
                         right.data() + group * kLanes, outs, in, reinterpret_cast<Lane*>(taps.data()));
      }
    });
    for (int64_t first = 0; first < tiles; first += tileBlock) {
      const int64_t count = std::min(tileBlock, tiles - first);
      if (firstOut == 0 || tileBlock < tiles)
        at::parallel_for(first, first + count, 8, [&](int64_t begin, int64_t end) {
          std::vector<float> scratch(static_cast<size_t>(kPlanes * in));
          transformInputs(read(x), v, vStride, left.data(), in, g, first, begin, end, scratch.data());
        });
      const int64_t panels = (groups + kGroups - 1) / kGroups;
      at::parallel_for(0, kPlanes * panels, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t p = i / panels, group = i % panels * kGroups, o = group * kLanes;
          multiplyPanel(v + p * vStride, rounded(count), in, u + p * uStride + o * in, m + p * mStride + o, outs,
                        std::min(kGroups, groups - group));
        }
      });
      at::parallel_for(first, first + count, 8, [&](int64_t begin, int64_t end) {
        transformOutputs(m, mStride, left.data(), right.data(), outs, offset.const_data_ptr<float>() + firstOut,
                         target + firstOut, out, g, first, begin, end);
      });
    }
  }
  return y;
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
