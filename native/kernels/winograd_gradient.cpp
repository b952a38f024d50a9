// The gradient of the weights of winogradConv3x3. The forward pass is y = A^T [(G g G^T) * (B^T x B)] A for each tile,
// summed over input channels; its adjoint in g is G^T [(A dy A^T) * (B^T x B)] G, summed over tiles.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "../core/simd.h"
#include "linear.h"
#include "winograd.h"
#include "winograd_transforms.h"
#include "workspace.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace ldm {

namespace {

constexpr int64_t kTile = Four::kTile, kPatch = Four::kPatch, kPlanes = Four::kPlanes;

/// Transformed values that are held at a time.
constexpr int64_t kHeldTiles = int64_t{6} << 20;
constexpr int64_t kHeldProducts = int64_t{10} << 20;

/// A square of kLanes rows, turned over its diagonal.
using Square = float[kLanes][kLanes];

void transposePlain(const Square& in, float* out, int64_t stride) {
  for (int64_t i = 0; i < kLanes; ++i)
    for (int64_t k = 0; k < kLanes; ++k) out[i * stride + k] = in[k][i];
}

#ifdef __x86_64__
template <int kStep>
__attribute__((target("avx512f"), always_inline)) inline void swapBlocks(__m512* rows) {
  const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i odd = _mm512_and_si512(lane, _mm512_set1_epi32(kStep));
  const __mmask16 isOdd = _mm512_test_epi32_mask(odd, odd);
  // lane l of the first row: its own where l is even, of the second row at l - kStep where it is odd
  const __m512i low =
      _mm512_mask_sub_epi32(lane, isOdd, _mm512_add_epi32(lane, _mm512_set1_epi32(kLanes)), _mm512_set1_epi32(kStep));
  const __m512i high =
      _mm512_mask_add_epi32(_mm512_add_epi32(lane, _mm512_set1_epi32(kStep)), isOdd, lane, _mm512_set1_epi32(kLanes));
  for (int i = 0; i < kLanes; ++i) {
    if (i & kStep) continue;
    const __m512 a = rows[i], b = rows[i + kStep];
    rows[i] = _mm512_permutex2var_ps(a, low, b);
    rows[i + kStep] = _mm512_permutex2var_ps(a, high, b);
  }
}

__attribute__((target("avx512f"))) void transposeWide(const Square& in, float* out, int64_t stride) {
  __m512 rows[kLanes];
  for (int i = 0; i < kLanes; ++i) rows[i] = _mm512_loadu_ps(in[i]);
  swapBlocks<1>(rows);
  swapBlocks<2>(rows);
  swapBlocks<4>(rows);
  swapBlocks<8>(rows);
  for (int i = 0; i < kLanes; ++i) _mm512_storeu_ps(out + i * stride, rows[i]);
}
#endif

using Transpose = void (*)(const Square&, float*, int64_t);
Transpose chooseTranspose() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f")) return transposeWide;
#endif
  return transposePlain;
}
const Transpose transpose = chooseTranspose();

/// Where the transformed values of a block of tiles go: planes of [channels][rows], each with the tiles in a row.
struct Planes {
  Planes(int64_t channels, int64_t tiles) : channels(channels), rows((tiles + kLanes - 1) / kLanes * kLanes) {
    // rows a power of two apart would share their places in the caches
    if (rows % 256 == 0) rows += kLanes;
    stride = channels * rows + 17 * kLanes;
  }
  at::Tensor plane(const at::Tensor& planes, int64_t p) const {
    return planes.narrow(0, p * stride, channels * rows).view({channels, rows});
  }
  int64_t channels, rows, stride;
};

struct Block {
  int64_t first, count;  ///< tiles
};

/// B^T x B (`kInput`) or A y A^T of the tiles of a block, for groups [begin, end) of kLanes tiles, with the tiles in
/// the rows of `out`. `x` [N][H][W][stride], of which the planes' channels are taken.
template <bool kInput>
LDM_INLINE void transformTiles(const float* x, int64_t channelStride, float* out, const Planes& planes,
                               const TileGrid& g, const Block& block, int64_t begin, int64_t end) {
  constexpr int64_t kSide = kInput ? kPatch : kTile, kBefore = kInput ? 1 : 0;
  alignas(64) Square squares[kPlanes];
  for (int64_t group = begin; group < end; ++group)
    for (int64_t c = 0; c < planes.channels; c += kLanes) {
      for (int64_t k = 0; k < kLanes; ++k) {
        const int64_t t = group * kLanes + k;
        if (t >= block.count) {
          for (int64_t p = 0; p < kPlanes; ++p) std::memset(squares[p][k], 0, sizeof(Lane));
          continue;
        }
        const auto [image, top, left] = g.place(block.first + t);
        const int64_t y0 = top - kBefore, x0 = left - kBefore;
        Lane patch[kSide * kSide], half[kPatch * kSide], full[kPlanes];
        gather<kSide>(x + image * g.height * g.width * channelStride + c, patch, channelStride, g, y0, x0);
        for (int64_t j = 0; j < kSide; ++j)
          kInput ? Four::input(patch + j, half + j, kSide, kSide)
                 : Four::outputAdjoint(patch + j, half + j, kSide, kSide);
        for (int64_t i = 0; i < kPatch; ++i)
          kInput ? Four::input(half + i * kSide, full + i * kPatch, 1, 1)
                 : Four::outputAdjoint(half + i * kSide, full + i * kPatch, 1, 1);
        for (int64_t p = 0; p < kPlanes; ++p) std::memcpy(squares[p][k], full[p], sizeof(Lane));
      }
      float* target = out + c * planes.rows + group * kLanes;
      for (int64_t p = 0; p < kPlanes; ++p) transpose(squares[p], target + p * planes.stride, planes.rows);
    }
}

LDM_SIMD void transformInputs(const float* x, int64_t channelStride, float* out, const Planes& planes,
                              const TileGrid& g, const Block& block, int64_t begin, int64_t end) {
  transformTiles<true>(x, channelStride, out, planes, g, block, begin, end);
}
LDM_SIMD void transformGradients(const float* y, int64_t channelStride, float* out, const Planes& planes,
                                 const TileGrid& g, const Block& block, int64_t begin, int64_t end) {
  transformTiles<false>(y, channelStride, out, planes, g, block, begin, end);
}

/// u[36][O][C] -> weight gradient [O][C][3][3] of output channels [begin, end).
LDM_SIMD void transformProducts(const std::array<const float*, kPlanes>& u, float* gradient, int64_t channels,
                                int64_t begin, int64_t end) {
  for (int64_t o = begin; o < end; ++o)
    for (int64_t c = 0; c < channels; c += kLanes) {
      Lane full[kPlanes], half[3 * kPatch], taps[9];
      for (int64_t p = 0; p < kPlanes; ++p) std::memcpy(full[p], u[p] + o * channels + c, sizeof(Lane));
      for (int64_t j = 0; j < kPatch; ++j) Four::filterAdjoint(full + j, half + j, kPatch, kPatch);
      for (int64_t i = 0; i < 3; ++i) Four::filterAdjoint(half + i * kPatch, taps + i * 3, 1, 1);
      float* target = gradient + (o * channels + c) * 9;
      for (int64_t k = 0; k < kLanes; ++k)
        for (int64_t i = 0; i < 9; ++i) target[k * 9 + i] = taps[i][k];
    }
}

}  // namespace

at::Tensor winogradWeightGradient(const at::Tensor& input, const at::Tensor& gradient) {
  at::NoGradGuard noGrad;
  const at::Tensor x = input.contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor y = gradient.contiguous(at::MemoryFormat::ChannelsLast);
  const int64_t batch = x.size(0), in = x.size(1), out = y.size(1);
  const TileGrid g(x.size(2), x.size(3), kTile);
  const int64_t tiles = batch * g.tilesY * g.tilesX;
  const int64_t tileBlock = std::min(tiles, std::max<int64_t>(128, kHeldTiles / (kPlanes * std::max(in, out))));
  const int64_t outBlock = std::min(out, std::max<int64_t>(1, kHeldProducts / (kPlanes * in * kLanes)) * kLanes);
  const at::Tensor v = workspace(1, kPlanes * Planes(in, tileBlock).stride);
  const at::Tensor m = workspace(2, kPlanes * Planes(outBlock, tileBlock).stride);
  at::Tensor result = at::empty({out, in, 3, 3}, x.options());

  for (int64_t firstOut = 0; firstOut < out; firstOut += outBlock) {
    const int64_t outs = std::min(outBlock, out - firstOut);
    std::array<at::Tensor, kPlanes> sums;
    std::array<const float*, kPlanes> u;
    for (int64_t first = 0; first < tiles; first += tileBlock) {
      const Block block{first, std::min(tileBlock, tiles - first)};
      const Planes inputs(in, block.count), gradients(outs, block.count);
      const int64_t groups = inputs.rows / kLanes;
      if (firstOut == 0 || tileBlock < tiles)
        at::parallel_for(0, groups, 1, [&](int64_t begin, int64_t end) {
          transformInputs(x.const_data_ptr<float>(), in, v.mutable_data_ptr<float>(), inputs, g, block, begin, end);
        });
      at::parallel_for(0, groups, 1, [&](int64_t begin, int64_t end) {
        transformGradients(y.const_data_ptr<float>() + firstOut, out, m.mutable_data_ptr<float>(), gradients, g, block,
                           begin, end);
      });
      for (int64_t p = 0; p < kPlanes; ++p) {
        const at::Tensor product = matrixProduct(gradients.plane(m, p), inputs.plane(v, p));
        if (first == 0)
          sums[p] = product;
        else
          sums[p].add_(product);
      }
    }
    for (int64_t p = 0; p < kPlanes; ++p) u[p] = sums[p].const_data_ptr<float>();
    at::parallel_for(0, outs, 8, [&](int64_t begin, int64_t end) {
      transformProducts(u, result.mutable_data_ptr<float>() + firstOut * in * 9, in, begin, end);
    });
  }
  return result;
}

}  // namespace ldm
