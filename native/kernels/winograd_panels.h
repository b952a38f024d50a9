// What the convolutions by Winograd's F(4x4, 3x3) share that multiply with instructions of AVX-512: transforms of
// sixteen filters at a time, and the order in which blocks of tiles and of filters meet. Only for a file of one of
// these kernels.
#pragma once

#include "avx512.h"

#ifdef LDM_AVX512
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include "winograd_transforms.h"
#include "workspace.h"

namespace ldm {

namespace {

constexpr int64_t kPlanes = Four::kPlanes;
/// Tiles whose transformed inputs and products are held at a time.
constexpr int64_t kHeldTiles = 96;
/// Bytes of transformed inputs that are all held where filters come in several blocks.
constexpr int64_t kHeldInputs = int64_t{10} << 20;
/// The block of products that is held in registers: tiles by groups of kLanes output channels.
constexpr int64_t kTiles = 6, kGroups = 4;
/// Calls f with a number of groups, 1 to kGroups, as a constant.
template <class F, int64_t... smaller>
void withGroups(int64_t groups, const F& f, std::integer_sequence<int64_t, smaller...>) {
  ((groups == smaller + 1 ? f(std::integral_constant<int64_t, smaller + 1>()) : void()), ...);
}
template <class F>
void withGroups(int64_t groups, const F& f) {
  withGroups(groups, f, std::make_integer_sequence<int64_t, kGroups>());
}

/// How far ahead of the numbers that are read others are fetched: there are too many streams for the processor to
/// follow.
constexpr int64_t kAhead = 8 * kLanes;

/// Distance of two planes of `count` numbers. Planes a power of two apart would share their places in the caches.
constexpr int64_t planeStride(int64_t count) { return count + 17 * kLanes; }

/// The 36 values of kLanes filters from their taps.
template <class F>
LDM_AVX512_INLINE void filterOf(const Lane* taps, Lane* full) {
  Lane half[F::kPatch * F::kTaps];
  for (int64_t j = 0; j < F::kTaps; ++j) F::filter(taps + j, half + j, F::kTaps, F::kTaps);
  for (int64_t i = 0; i < F::kPatch; ++i) F::filter(half + i * F::kTaps, full + i * F::kPatch, 1, 1);
}

/// The first 9 numbers, then zeros.
LDM_AVX512_INLINE __m512 loadTaps(const float* from) { return _mm512_maskz_loadu_ps(0x1ff, from); }
LDM_AVX512_INLINE __m512 loadTaps(const Bf16Bits* from) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(0x1ff, from)), 16));
}

/// The filters of a convolution: [O][C][3][3], or (`turned`) [C][O][3][3] with the taps read backwards, so that the
/// gradient of a convolution's input comes from that of its output and the convolution's own weight.
template <class T>
struct Filters {
  const T* weight;
  int64_t outs, channels;
  bool turned;
  Phase phase{0, 0};  ///< where a filter has 2x2 taps
};

/// What 3x3 taps of an enlarged image are to the original's 2x2 pixels that a phase sees.
LDM_AVX512_INLINE void sumTaps(const Phase& phase, const Lane* taps, Lane* sums) {
  __m512 columns[3 * 2];
  for (int i = 0; i < 3; ++i) {
    const __m512 a = _mm512_loadu_ps(taps[3 * i]), b = _mm512_loadu_ps(taps[3 * i + 1]),
                 c = _mm512_loadu_ps(taps[3 * i + 2]);
    columns[2 * i] = phase.x == 0 ? a : _mm512_add_ps(a, b);
    columns[2 * i + 1] = phase.x == 0 ? _mm512_add_ps(b, c) : c;
  }
  for (int j = 0; j < 2; ++j) {
    const __m512 a = columns[j], b = columns[2 + j], c = columns[4 + j];
    _mm512_storeu_ps(sums[j], phase.y == 0 ? a : _mm512_add_ps(a, b));
    _mm512_storeu_ps(sums[2 + j], phase.y == 0 ? _mm512_add_ps(b, c) : c);
  }
}

/// Those of the kLanes output channels from o on -> taps[c * 9 + tap], whose lanes are the output channels.
template <class T>
LDM_AVX512_INLINE void gatherNine(const Filters<T>& f, int64_t o, Lane* taps) {
  constexpr int64_t kFew = 6;  // channels ahead
  __m512 rows[kLanes];
  if (f.turned) {
    for (int64_t c = 0; c < f.channels; ++c) {
      const T* source = f.weight + (c * f.outs + o) * 9;
      for (int64_t i = 0; i < 9; ++i) _mm_prefetch(source + kFew * f.outs * 9 + i * kLanes, _MM_HINT_T0);
      for (int64_t k = 0; k < kLanes; ++k) rows[k] = loadTaps(source + k * 9);
      transpose(rows);
      for (int64_t i = 0; i < 9; ++i) _mm512_storeu_ps(taps[c * 9 + 8 - i], rows[i]);
    }
    return;
  }
  for (int64_t e = 0; e < f.channels * 9; e += kLanes) {
    for (int64_t k = 0; k < kLanes; ++k) rows[k] = loadWide(f.weight + (o + k) * f.channels * 9 + e);
    transpose(rows);
    for (int64_t k = 0; k < kLanes; ++k) _mm512_storeu_ps(taps[e + k], rows[k]);
  }
}

/// Those of the kLanes output channels from o on -> taps[c * kTaps^2 + tap], whose lanes are the output channels.
/// @param taps memory for 9 of each channel
template <class F, class T>
LDM_AVX512_INLINE void gatherTaps(const Filters<T>& f, int64_t o, Lane* taps) {
  gatherNine(f, o, taps);
  if constexpr (F::kTaps == 2)
    for (int64_t c = 0; c < f.channels; ++c) sumTaps(f.phase, taps + c * 9, taps + c * 4);
}

/// The transform of a tile's inputs, kLanes channels of them.
LDM_AVX512_INLINE void inputOf(const Lane* patch, Lane* full) {
  Lane half[kPlanes];
  for (int64_t j = 0; j < Four::kPatch; ++j) Four::input(patch + j, half + j, Four::kPatch, Four::kPatch);
  for (int64_t i = 0; i < Four::kPatch; ++i) Four::input(half + i * Four::kPatch, full + i * Four::kPatch, 1, 1);
}

/// The transform of a tile's products.
template <class F>
LDM_AVX512_INLINE void outputOf(const Lane* product, Lane* full) {
  Lane half[F::kTile * F::kPatch];
  for (int64_t j = 0; j < F::kPatch; ++j) F::output(product + j, half + j, F::kPatch, F::kPatch);
  for (int64_t i = 0; i < F::kTile; ++i) F::output(half + i * F::kPatch, full + i * F::kTile, 1, 1);
}

/// Fetches the pixels that the tile to the right has beyond those of the tile at (y0, x0).
template <class F, class T>
LDM_AVX512_INLINE void fetchNextTile(const T* x, int64_t channels, const TileGrid& g, int64_t y0, int64_t x0) {
  for (int64_t i = 0; i < F::kPatch; ++i)
    for (int64_t j = F::kPatch; j < F::kPatch + F::kTile; ++j) {
      const int64_t row = (y0 + i) >> g.shift, column = (x0 + j) >> g.shift;
      _mm_prefetch(x + (row * (g.width >> g.shift) + column) * channels, _MM_HINT_T0);
    }
}

template <class T>
T* numbers(const at::Tensor& memory) {
  return static_cast<T*>(memory.mutable_data_ptr());
}
/// `count` numbers of the workspace, which counts in floats.
template <class T>
at::Tensor scratchOf(int slot, int64_t count) {
  return workspace(slot, (count * static_cast<int64_t>(sizeof(T)) + 3) / 4);
}

/// The convolution of x, in channels-last layout, to those pixels of y that the grid has.
/// @param offset fp32 [O]
///
/// Format has the types Image (of x and the result), Number (what is multiplied) and Product, the number kPair of
/// channels that lie beside each other in a filter, the number kHeldFilters of a filter's numbers that are held at a
/// time, and, with what scales it needs,
/// - filters(source, o, to, u, stride, step, outs, taps): the kLanes output channels from o on, the to-th on of the
///   `outs` that are held, to u + plane * stride: [c / kPair][step][kLanes][kPair]
/// - inputs(x, v, stride, C, grid, first, begin, end): tiles [begin, end) to v + plane * stride: [tile - first][C],
///   where `first` is the first of the tiles that are held
/// - multiply(v, tiles, C, u, m, outs, groups): m[tile][outs] of a plane for `groups` * kLanes output channels; tiles
///   is a multiple of kTiles
/// - outputs(m, stride, outs, bias, y, O, grid, first, begin, end): the products of `outs` channels to y[N][H][W][O],
///   where m[0] is that of tile `first`
template <class Format, class Weight>
void convolveTiles(const at::Tensor& x, const Filters<Weight>& source, const float* offset, const at::Tensor& y,
                   const TileGrid& g) {
  using Image = typename Format::Image;
  using Number = typename Format::Number;
  using Product = typename Format::Product;
  constexpr int64_t kPair = Format::kPair, kPanel = kGroups * kLanes;
  const int64_t batch = x.size(0), in = source.channels, out = source.outs;
  const auto* image = static_cast<const Image*>(x.const_data_ptr());
  auto* target = numbers<Image>(y);
  const int64_t tiles = batch * g.tilesY * g.tilesX;
  const auto rounded = [](int64_t count) { return (count + kTiles - 1) / kTiles * kTiles; };
  const int64_t tileBlock = std::min(kHeldTiles, rounded(tiles));
  // Where one block has all tiles, each filter is used once, and the fewer there are at a time the closer they stay.
  const int64_t most = tiles > kHeldTiles ? Format::kHeldFilters / (kPlanes * in * kPanel) * kPanel : 0;
  const int64_t outBlock = std::min(out, std::max(kPanel, most));
  const bool all = rounded(tiles) * kPlanes * in * static_cast<int64_t>(sizeof(Number)) <= kHeldInputs;
  const int64_t held = all && outBlock < out ? rounded(tiles) : tileBlock;
  const int64_t uStride = planeStride(outBlock * in), vStride = planeStride(held * in),
                mStride = planeStride(tileBlock * outBlock);
  const at::Tensor filters = scratchOf<Number>(0, kPlanes * uStride), inputs = scratchOf<Number>(1, kPlanes * vStride),
                   products = scratchOf<Product>(2, kPlanes * mStride);
  auto *u = numbers<Number>(filters), *v = numbers<Number>(inputs);
  auto* m = numbers<Product>(products);
  Format format(held, outBlock);

  for (int64_t firstOut = 0; firstOut < out; firstOut += outBlock) {
    const int64_t outs = std::min(outBlock, out - firstOut), groups = outs / kLanes;
    at::parallel_for(0, groups, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> taps(static_cast<size_t>(in * 9 * kLanes));
      for (int64_t group = begin; group < end; ++group) {
        const int64_t panel = group / kGroups * kGroups, width = std::min(kGroups, groups - panel);
        format.filters(source, firstOut + group * kLanes, group * kLanes,
                       u + panel * kLanes * in + (group - panel) * kPair * kLanes, uStride, width, outs,
                       reinterpret_cast<Lane*>(taps.data()));
      }
    });
    for (int64_t first = 0; first < tiles; first += tileBlock) {
      const int64_t count = std::min(tileBlock, tiles - first), before = first % held;
      if (firstOut == 0 || held < tiles)
        at::parallel_for(first, first + count, 8, [&](int64_t begin, int64_t end) {
          format.inputs(image, v, vStride, in, g, first - before, begin, end);
        });
      const int64_t panels = (groups + kGroups - 1) / kGroups;
      at::parallel_for(0, kPlanes * panels, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t p = i / panels, group = i % panels * kGroups, o = group * kLanes;
          Format::multiply(v + p * vStride + before * in, rounded(count), in, u + p * uStride + o * in,
                           m + p * mStride + o, outs, std::min(kGroups, groups - group));
        }
      });
      at::parallel_for(first, first + count, 8, [&](int64_t begin, int64_t end) {
        format.outputs(m, mStride, outs, offset + firstOut, target + firstOut, out, g, first, begin, end);
      });
    }
  }
}

/// Whether an image that is enlarged is better convolved in its four phases: a third of the products less, but for
/// what hangs over the edges, and four filters to transform for one.
inline bool phasesSuit(int64_t batch, int64_t height, int64_t width) {
  const auto tiles = [](int64_t side, int64_t tile) { return (side + tile - 1) / tile; };
  const int64_t whole = tiles(2 * height, Four::kTile) * tiles(2 * width, Four::kTile);
  const int64_t phases = 4 * tiles(height, Five::kTile) * tiles(width, Five::kTile);
  return batch * height * width >= 2048 && 5 * phases <= 4 * whole;
}

/// The whole convolution of x, in channels-last layout.
/// @tparam Format of convolveTiles(), for F(4x4, 3x3) and F(5x5, 2x2)
/// @param bias fp32 [O]
/// @param doubled whether x is first enlarged, each pixel to 2x2
template <template <class> class Format, class Weight>
at::Tensor convolveByPanels(const at::Tensor& x, Filters<Weight> source, const at::Tensor& bias, bool doubled) {
  const int64_t height = x.size(2), width = x.size(3), factor = doubled ? 2 : 1;
  const auto* offset = bias.const_data_ptr<float>();
  const at::Tensor y = at::empty({x.size(0), source.outs, height * factor, width * factor},
                                 x.options().memory_format(at::MemoryFormat::ChannelsLast));
  if (doubled && phasesSuit(x.size(0), height, width)) {
    for (const Phase phase : {Phase{0, 0}, Phase{0, 1}, Phase{1, 0}, Phase{1, 1}}) {
      source.phase = phase;
      convolveTiles<Format<Five>>(x, source, offset, y, TileGrid(height, width, Five::kTile, phase));
    }
  } else {
    convolveTiles<Format<Four>>(x, source, offset, y, TileGrid(height * factor, width * factor, Four::kTile, doubled));
  }
  return y;
}

}  // namespace

}  // namespace ldm

#endif
