// With X = B^T x B and Y = A dy A^T of each tile, the gradient of the weights is G^T [sum over tiles of Y * X] G: in
// each of the 36 planes a product of matrices, whose sums run over tiles. So it is a channel's numbers of all tiles of
// a block that are scaled to a norm of kNorm, and pairs of tiles that lie beside each other.
#include "winograd_fixed.h"
#include "winograd_integers.h"

#ifdef LDM_AVX512

namespace ldm {

namespace {

/// Tiles of which the sums run in integers.
constexpr int64_t kMostTiles = 128;
/// Channels whose products are computed together: of x, what is held in registers; of the gradient, several times that.
constexpr int64_t kInPanel = kGroups * kLanes, kOutPanel = 8 * kTiles;

/// Transformed tiles of one of the two operands: in each plane panels of [pair of tiles][channel of the panel][2].
struct Operand {
  Operand(int slot, int64_t channels, int64_t panel, int64_t tiles)
      : channels(channels),
        panel(panel),
        rows((tiles + 1) / 2 * 2),
        stride(planeStride(rows * channels)),
        memory(scratchOf<Integer>(slot, kPlanes * stride)),
        inverse(static_cast<size_t>(kPlanes * channels)) {}

  int64_t widthAt(int64_t first) const { return std::min(panel, channels - first / panel * panel); }
  /// Where the first pair of tiles of channel c is.
  Integer* at(int64_t p, int64_t c) const {
    return numbers<Integer>(memory) + p * stride + c / panel * panel * rows + c % panel * 2;
  }

  int64_t channels, panel, rows, stride;
  at::Tensor memory;
  std::vector<float> inverse;  ///< inverse factors [plane][channel]
};

/// A y, the adjoint of the transform of products: six values from four.
LDM_VNNI_INLINE void outputAdjointLine(const __m512* in, __m512* out, int step) {
  const __m512 near = _mm512_set1_ps(kNear), far = _mm512_set1_ps(kFar);
  const __m512 evenNear = _mm512_fmadd_ps(_mm512_set1_ps(kNear2), in[2], in[0]);
  const __m512 oddNear = _mm512_fmadd_ps(_mm512_set1_ps(kNear2), in[3], in[1]);
  const __m512 evenFar = _mm512_fmadd_ps(_mm512_set1_ps(kFar2), in[2], in[0]);
  const __m512 oddFar = _mm512_fmadd_ps(_mm512_set1_ps(kFar2), in[3], in[1]);
  out[0] = in[0];
  out[step] = _mm512_fmadd_ps(near, oddNear, evenNear);
  out[2 * step] = _mm512_fnmadd_ps(near, oddNear, evenNear);
  out[3 * step] = _mm512_fmadd_ps(far, oddFar, evenFar);
  out[4 * step] = _mm512_fnmadd_ps(far, oddFar, evenFar);
  out[5 * step] = in[3];
}

/// G^T u, the adjoint of the transform of filters: three taps from six values.
LDM_VNNI_INLINE void filterAdjointLine(const __m512* in, __m512* out, int step) {
  const __m512 atZero = _mm512_set1_ps(1 / (kNear2 * kFar2)),
               atNear = _mm512_set1_ps(1 / (2 * kNear2 * (kNear2 - kFar2))),
               atFar = _mm512_set1_ps(1 / (2 * kFar2 * (kFar2 - kNear2)));
  const __m512 near = _mm512_mul_ps(_mm512_add_ps(in[1], in[2]), atNear);
  const __m512 nearOdd = _mm512_mul_ps(_mm512_sub_ps(in[1], in[2]), atNear);
  const __m512 far = _mm512_mul_ps(_mm512_add_ps(in[3], in[4]), atFar);
  const __m512 farOdd = _mm512_mul_ps(_mm512_sub_ps(in[3], in[4]), atFar);
  out[0] = _mm512_fmadd_ps(in[0], atZero, _mm512_add_ps(near, far));
  out[step] = _mm512_fmadd_ps(_mm512_set1_ps(kNear), nearOdd, _mm512_mul_ps(_mm512_set1_ps(kFar), farOdd));
  out[2 * step] = _mm512_fmadd_ps(_mm512_set1_ps(kNear2), near, _mm512_fmadd_ps(_mm512_set1_ps(kFar2), far, in[5]));
}

/// B^T x B (`kInput`) or A x A^T of tiles [first, first + count) of an image x[N][H][W][C], channels [begin, end).
/// @param scratch kPlanes for each tile
/// @param outside kLanes zeros
template <bool kInput>
LDM_VNNI void transformTiles(const Bf16Bits* x, Operand& to, const TileGrid& g, int64_t first, int64_t count,
                             int64_t begin, int64_t end, Lane* scratch, const Bf16Bits* outside) {
  constexpr int kSide = kInput ? Four::kPatch : Four::kTile, kBefore = kInput ? 1 : 0;
  for (int64_t c = begin; c < end; c += kLanes) {
    Lane squares[kPlanes] = {};
    for (int64_t t = 0; t < count; ++t) {
      const auto [image, top, left] = g.place(first + t);
      const Bf16Bits* source = x + image * g.sourcePixels() * to.channels + c;
      __m512 half[Four::kPatch * kSide], line[Four::kPatch];
#pragma GCC unroll 6
      for (int j = 0; j < kSide; ++j) {
#pragma GCC unroll 6
        for (int i = 0; i < kSide; ++i) {
          const int64_t row = top + i - kBefore, column = left + j - kBefore;
          const bool within = row >= 0 && row < g.height && column >= 0 && column < g.width;
          const int64_t pixel = (row >> g.shift) * (g.width >> g.shift) + (column >> g.shift);
          line[i] = loadWide(within ? source + pixel * to.channels : outside);
        }
        if constexpr (kInput)
          inputLine(line, half + j, kSide);
        else
          outputAdjointLine(line, half + j, kSide);
      }
      Lane* full = scratch + t * kPlanes;
#pragma GCC unroll 6
      for (int i = 0; i < Four::kPatch; ++i) {
        if constexpr (kInput)
          inputLine(half + i * kSide, line, 1);
        else
          outputAdjointLine(half + i * kSide, line, 1);
#pragma GCC unroll 6
        for (int j = 0; j < Four::kPatch; ++j) {
          const int p = i * Four::kPatch + j;
          _mm512_storeu_ps(full[p], line[j]);
          _mm512_storeu_ps(squares[p], _mm512_fmadd_ps(line[j], line[j], _mm512_loadu_ps(squares[p])));
        }
      }
    }
    const int64_t step = to.widthAt(c) * 2;
    for (int64_t p = 0; p < kPlanes; ++p) {
      const __m512 sum = _mm512_loadu_ps(squares[p]), factor = factorFor(sum);
      _mm512_storeu_ps(to.inverse.data() + p * to.channels + c, inverseFor(sum));
      Integer* target = to.at(p, c);
      for (int64_t t = 0; t < count; t += 2, target += step) {
        const __m512 low = _mm512_loadu_ps(scratch[t * kPlanes + p]);
        const __m512 high = t + 1 < count ? _mm512_loadu_ps(scratch[(t + 1) * kPlanes + p]) : _mm512_setzero_ps();
        _mm512_storeu_si512(target, interleaved(low, high, factor));
      }
    }
  }
}

/// What one product of a block of channels reads and writes.
struct Factors {
  const Integer *left, *right;  ///< [pair of tiles][leftWidth][2] and [pair][kCount * kLanes][2]
  int64_t leftWidth, pairs;
  const float *leftInverse, *rightInverse;
  float* sums;  ///< [row][outStride]
  int64_t outStride;
};

template <int64_t kRows, int64_t kCount, size_t... block, size_t... group>
LDM_VNNI_INLINE void multiplyBlock(const Factors& f, int64_t row, std::index_sequence<block...>,
                                   std::index_sequence<group...>) {
  __m512i sums[kRows * kCount];
  ((sums[block] = _mm512_setzero_si512()), ...);
  const Integer *left = f.left + row * 2, *right = f.right;
  for (int64_t i = 0; i < f.pairs; ++i, left += f.leftWidth * 2, right += kCount * 2 * kLanes) {
    const __m512i channels[kCount] = {_mm512_loadu_si512(right + group * 2 * kLanes)...};
    (addProducts(sums[block], pairOf(left + block / kCount * 2), channels[block % kCount]), ...);
  }
  const __m512 inverse[kCount] = {_mm512_loadu_ps(f.rightInverse + group * kLanes)...};
  (_mm512_storeu_ps(
       f.sums + (row + block / kCount) * f.outStride + block % kCount * kLanes,
       _mm512_mul_ps(_mm512_cvtepi32_ps(sums[block]),
                     _mm512_mul_ps(inverse[block % kCount], _mm512_set1_ps(f.leftInverse[row + block / kCount])))),
   ...);
}

template <int64_t kRows, int64_t kCount>
LDM_VNNI_INLINE void multiplyBlock(const Factors& f, int64_t row) {
  multiplyBlock<kRows, kCount>(f, row, std::make_index_sequence<kRows * kCount>(), std::make_index_sequence<kCount>());
}

/// The rows of a panel: blocks of kTiles, and what is left of a multiple of kLanes, which is even.
template <int64_t kCount>
LDM_VNNI void multiplyRows(const Factors& f) {
  int64_t row = 0;
  for (; row + kTiles <= f.leftWidth; row += kTiles) multiplyBlock<kTiles, kCount>(f, row);
  for (; row < f.leftWidth; row += 2) multiplyBlock<2, kCount>(f, row);
}

/// u + plane * stride: [row][C] -> weight gradients [row][C][3][3], added to what is there or (`fresh`) in its place.
LDM_VNNI void transformProducts(const float* u, int64_t stride, float* gradient, int64_t channels, int64_t begin,
                                int64_t end, bool fresh) {
  constexpr __mmask16 kTaps = 0x1ff;
  for (int64_t row = begin; row < end; ++row)
    for (int64_t c = 0; c < channels; c += kLanes) {
      __m512 line[Four::kPatch], half[3 * Four::kPatch], turned[kLanes];
#pragma GCC unroll 6
      for (int j = 0; j < Four::kPatch; ++j) {
#pragma GCC unroll 6
        for (int i = 0; i < Four::kPatch; ++i)
          line[i] = _mm512_loadu_ps(u + (i * Four::kPatch + j) * stride + row * channels + c);
        filterAdjointLine(line, half + j, Four::kPatch);
      }
#pragma GCC unroll 3
      for (int i = 0; i < 3; ++i) filterAdjointLine(half + i * Four::kPatch, turned + i * 3, 1);
      for (int i = 9; i < kLanes; ++i) turned[i] = _mm512_setzero_ps();
      transpose(turned);
      float* target = gradient + (row * channels + c) * 9;
      for (int64_t k = 0; k < kLanes; ++k, target += 9) {
        const __m512 before = fresh ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(kTaps, target);
        _mm512_mask_storeu_ps(target, kTaps, _mm512_add_ps(before, turned[k]));
      }
    }
}

template <bool kInput>
void transform(const at::Tensor& image, Operand& to, const TileGrid& g, int64_t first, int64_t count) {
  const auto* x = static_cast<const Bf16Bits*>(image.const_data_ptr());
  at::parallel_for(0, to.channels / kLanes, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> scratch(static_cast<size_t>(count * kPlanes * kLanes));
    const std::vector<Bf16Bits> outside(static_cast<size_t>(kLanes));
    transformTiles<kInput>(x, to, g, first, count, begin * kLanes, end * kLanes,
                           reinterpret_cast<Lane*>(scratch.data()), outside.data());
  });
}

}  // namespace

at::Tensor winogradFixedWeightGradient(const at::Tensor& input, const at::Tensor& gradient, bool doubled) {
  const at::Tensor x = input.contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor y = gradient.contiguous(at::MemoryFormat::ChannelsLast);
  const int64_t in = x.size(1), out = y.size(1);
  const TileGrid grid(y.size(2), y.size(3), Four::kTile), source(y.size(2), y.size(3), Four::kTile, doubled);
  const int64_t tiles = x.size(0) * grid.tilesY * grid.tilesX, block = std::min(kMostTiles, tiles);
  Operand right(0, in, kInPanel, block), left(1, out, kOutPanel, block);
  const int64_t stride = planeStride(kOutPanel * in);
  const at::Tensor products = workspace(2, kPlanes * stride);
  auto* u = numbers<float>(products);
  at::Tensor result = at::empty({out, in, 3, 3}, x.options().dtype(at::kFloat));

  for (int64_t first = 0; first < tiles; first += block) {
    const int64_t count = std::min(block, tiles - first);
    transform<true>(x, right, source, first, count);
    transform<false>(y, left, grid, first, count);
    for (int64_t firstOut = 0; firstOut < out; firstOut += kOutPanel) {
      const int64_t outs = left.widthAt(firstOut), panels = (in + kInPanel - 1) / kInPanel;
      at::parallel_for(0, kPlanes * panels, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t p = i / panels, c = i % panels * kInPanel;
          const Factors factors{.left = left.at(p, firstOut),
                                .right = right.at(p, c),
                                .leftWidth = outs,
                                .pairs = (count + 1) / 2,
                                .leftInverse = left.inverse.data() + p * out + firstOut,
                                .rightInverse = right.inverse.data() + p * in + c,
                                .sums = u + p * stride + c,
                                .outStride = in};
          withGroups(right.widthAt(c) / kLanes, [&](auto groups) { multiplyRows<groups>(factors); });
        }
      });
      at::parallel_for(0, outs, 4, [&](int64_t begin, int64_t end) {
        transformProducts(u, stride, result.mutable_data_ptr<float>() + firstOut * in * 9, in, begin, end, first == 0);
      });
    }
  }
  return result;
}

}  // namespace ldm

#else

namespace ldm {

at::Tensor winogradFixedWeightGradient(const at::Tensor&, const at::Tensor&, bool) {
  TORCH_CHECK(false, "winogradFixedWeightGradient needs AVX-512 VNNI");
}

}  // namespace ldm

#endif
