#include "winograd.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "../core/simd.h"
#include "linear.h"
#include "winograd_float.h"
#include "winograd_transforms.h"
#include "workspace.h"

namespace ldm {

namespace {

/// Transformed inputs and filters that are held at a time: what the last-level cache has room for.
constexpr int64_t kHeldInputs = int64_t{6} << 20;
constexpr int64_t kHeldFilters = int64_t{10} << 20;

/// Distance of two planes of `rows` rows. Planes a power of two apart would share their places in the caches.
int64_t planeStride(int64_t rows, int64_t channels) { return rows * channels + 17 * kLanes; }

/// Where the 3x3 taps of output channel o and input channel c begin: at o * out + c * in.
struct FilterStrides {
  int64_t out, in;
  bool rotated;  ///< whether the taps are read backwards, which turns them by half a turn
};

/// weight[o][c][3][3] -> u[planes][O][C] for output channels [begin, end).
template <class F, class T = typename F::Number>
LDM_INLINE void filters(const T* weight, const FilterStrides& strides, T* u, int64_t outChannels, int64_t channels,
                        int64_t begin, int64_t end) {
  const int64_t plane = planeStride(outChannels, channels);
  for (int64_t o = begin; o < end; ++o)
    for (int64_t c = 0; c < channels; c += kLanes) {
      const T* source = weight + o * strides.out + c * strides.in;
      Lane taps[9], half[F::kPatch * 3], full[F::kPlanes];
      for (int64_t i = 0; i < 9; ++i) {
        const T* tap = source + (strides.rotated ? 8 - i : i);
        for (int64_t k = 0; k < kLanes; ++k) taps[i][k] = widen(tap[k * strides.in]);
      }
      for (int64_t j = 0; j < 3; ++j) F::filter(taps + j, half + j, 3, 3);
      for (int64_t i = 0; i < F::kPatch; ++i) F::filter(half + i * 3, full + i * F::kPatch, 1, 1);
      T* target = u + o * channels + c;
      for (int64_t p = 0; p < F::kPlanes; ++p) store(full[p], target + p * plane);
    }
}
LDM_SIMD void transformFilters(const float* weight, const FilterStrides& strides, float* u, int64_t outChannels,
                               int64_t channels, int64_t begin, int64_t end) {
  filters<Four>(weight, strides, u, outChannels, channels, begin, end);
}
LDM_SIMD void transformFilters(const Bf16Bits* weight, const FilterStrides& strides, Bf16Bits* u, int64_t outChannels,
                               int64_t channels, int64_t begin, int64_t end) {
  filters<Two>(weight, strides, u, outChannels, channels, begin, end);
}

/// x[N][H][W][C] -> v[planes][T][C] for tiles [begin, end) of a block that starts at tile `first`.
template <class F, class T = typename F::Number>
LDM_INLINE void inputs(const T* x, T* v, int64_t channels, const TileGrid& g, int64_t first, int64_t block,
                       int64_t begin, int64_t end) {
  const int64_t plane = planeStride(block, channels);
  for (int64_t t = begin; t < end; ++t) {
    const auto [image, top, left] = g.place(t);
    const int64_t y0 = top - 1, x0 = left - 1;
    const T* source = x + image * g.sourcePixels() * channels;
    for (int64_t c = 0; c < channels; c += kLanes) {
      Lane patch[F::kPlanes], half[F::kPlanes], full[F::kPlanes];
      gather<F::kPatch>(source + c, patch, channels, g, y0, x0);
      for (int64_t j = 0; j < F::kPatch; ++j) F::input(patch + j, half + j, F::kPatch, F::kPatch);
      for (int64_t i = 0; i < F::kPatch; ++i) F::input(half + i * F::kPatch, full + i * F::kPatch, 1, 1);
      T* target = v + (t - first) * channels + c;
      for (int64_t p = 0; p < F::kPlanes; ++p) store(full[p], target + p * plane);
    }
  }
}
LDM_SIMD void transformInputs(const float* x, float* v, int64_t channels, const TileGrid& g, int64_t first,
                              int64_t block, int64_t begin, int64_t end) {
  inputs<Four>(x, v, channels, g, first, block, begin, end);
}
LDM_SIMD void transformInputs(const Bf16Bits* x, Bf16Bits* v, int64_t channels, const TileGrid& g, int64_t first,
                              int64_t block, int64_t begin, int64_t end) {
  inputs<Two>(x, v, channels, g, first, block, begin, end);
}

/// The products m[plane] of [T][O] -> O of the `channels` of y[N][H][W][channels], with bias, for tiles [begin, end) of
/// a block that starts at tile `first`.
template <class F, class T = typename F::Number>
LDM_INLINE void outputs(const T* const* m, int64_t outs, const float* bias, T* y, int64_t channels, const TileGrid& g,
                        int64_t first, int64_t begin, int64_t end) {
  for (int64_t t = begin; t < end; ++t) {
    const auto [image, y0, x0] = g.place(t);
    T* target = y + image * g.height * g.width * channels;
    for (int64_t c = 0; c < outs; c += kLanes) {
      Lane product[F::kPlanes], half[F::kTile * F::kPatch], full[F::kTile * F::kTile];
      for (int64_t p = 0; p < F::kPlanes; ++p) load(m[p] + (t - first) * outs + c, product[p]);
      for (int64_t j = 0; j < F::kPatch; ++j) F::output(product + j, half + j, F::kPatch, F::kPatch);
      for (int64_t i = 0; i < F::kTile; ++i) F::output(half + i * F::kPatch, full + i * F::kTile, 1, 1);
      for (int64_t i = 0; i < std::min(F::kTile, g.height - y0); ++i)
        for (int64_t j = 0; j < std::min(F::kTile, g.width - x0); ++j) {
          T* to = target + ((y0 + i) * g.width + x0 + j) * channels + c;
          for (int64_t k = 0; k < kLanes; ++k) to[k] = narrow<T>(full[i * F::kTile + j][k] + bias[c + k]);
        }
    }
  }
}
LDM_SIMD void transformOutputs(const float* const* m, int64_t outs, const float* bias, float* y, int64_t channels,
                               const TileGrid& g, int64_t first, int64_t begin, int64_t end) {
  outputs<Four>(m, outs, bias, y, channels, g, first, begin, end);
}
LDM_SIMD void transformOutputs(const Bf16Bits* const* m, int64_t outs, const float* bias, Bf16Bits* y, int64_t channels,
                               const TileGrid& g, int64_t first, int64_t begin, int64_t end) {
  outputs<Two>(m, outs, bias, y, channels, g, first, begin, end);
}

template <class T>
const T* read(const at::Tensor& t) {
  return static_cast<const T*>(t.const_data_ptr());
}
template <class T>
T* write(const at::Tensor& t) {
  return static_cast<T*>(t.mutable_data_ptr());
}

/// The whole convolution; x and w in their layouts, y to be filled.
template <class F>
void convolve(const at::Tensor& x, const at::Tensor& w, const FilterStrides& strides, const at::Tensor& offset,
              const at::Tensor& y) {
  using T = typename F::Number;
  const int64_t batch = x.size(0), in = x.size(1), out = y.size(1);
  const TileGrid g(y.size(2), y.size(3), F::kTile, /*doubled=*/y.size(2) != x.size(2));
  const int64_t tiles = batch * g.tilesY * g.tilesX;
  const int64_t tileBlock = std::min(tiles, std::max<int64_t>(128, kHeldInputs / (F::kPlanes * std::max(in, out))));
  const int64_t outBlock = std::min(out, std::max<int64_t>(1, kHeldFilters / (F::kPlanes * in * kLanes)) * kLanes);
  const auto scratch = [&](int slot, int64_t count) {  // the workspace counts in floats
    const at::Tensor floats = workspace(slot, (count * static_cast<int64_t>(sizeof(T)) + 3) / 4);
    return sizeof(T) == 4 ? floats : floats.view(at::kBFloat16);
  };
  const at::Tensor u = scratch(0, F::kPlanes * planeStride(outBlock, in));
  const at::Tensor v = scratch(1, F::kPlanes * planeStride(tileBlock, in));
  const auto plane = [in](const at::Tensor& planes, int64_t p, int64_t rows) {
    return planes.narrow(0, p * planeStride(rows, in), rows * in).view({rows, in});
  };

  for (int64_t firstOut = 0; firstOut < out; firstOut += outBlock) {
    const int64_t outs = std::min(outBlock, out - firstOut);
    at::parallel_for(0, outs, 8, [&](int64_t begin, int64_t end) {
      transformFilters(read<T>(w) + firstOut * strides.out, strides, write<T>(u), outs, in, begin, end);
    });
    for (int64_t first = 0; first < tiles; first += tileBlock) {
      const int64_t count = std::min(tileBlock, tiles - first);
      if (firstOut == 0 || tileBlock < tiles)
        at::parallel_for(first, first + count, 8, [&](int64_t begin, int64_t end) {
          transformInputs(read<T>(x), write<T>(v), in, g, first, count, begin, end);
        });
      std::vector<at::Tensor> products;
      std::array<const T*, F::kPlanes> m;
      for (int64_t p = 0; p < F::kPlanes; ++p) {
        products.push_back(matrixProduct(plane(v, p, count), plane(u, p, outs)));
        m[p] = read<T>(products.back());
      }
      at::parallel_for(first, first + count, 8, [&](int64_t begin, int64_t end) {
        transformOutputs(m.data(), outs, read<float>(offset) + firstOut, write<T>(y) + firstOut, out, g, first, begin,
                         end);
      });
    }
  }
}

at::Tensor convolved(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias, bool transposed,
                     int64_t factor) {
  at::NoGradGuard noGrad;
  const at::Tensor x = input.contiguous(at::MemoryFormat::ChannelsLast), w = weight.contiguous();
  const int64_t in = x.size(1), out = w.size(transposed ? 1 : 0);
  const FilterStrides strides =
      transposed ? FilterStrides{9, out * 9, /*rotated=*/true} : FilterStrides{in * 9, 9, /*rotated=*/false};
  const at::Tensor offset =
      bias.defined() ? bias.to(at::kFloat).contiguous() : at::zeros({out}, w.options().dtype(at::kFloat));
  if (x.scalar_type() == at::kFloat && winogradFloatAvailable())
    return winogradFloatConv3x3(x, w, offset, /*doubled=*/factor == 2, transposed);
  const at::Tensor y = at::empty({x.size(0), out, x.size(2) * factor, x.size(3) * factor},
                                 x.options().memory_format(at::MemoryFormat::ChannelsLast));
  if (x.scalar_type() == at::kFloat)
    convolve<Four>(x, w, strides, offset, y);
  else
    convolve<Two>(x, w, strides, offset, y);
  return y;
}

}  // namespace

bool winogradSuits(const at::Tensor& x, const at::Tensor& weight, bool doubled) {
  if (weight.size(2) != 3 || weight.size(3) != 3) return false;
  const int64_t factor = doubled ? 2 : 1, height = x.size(2) * factor, width = x.size(3) * factor;
  const int64_t in = weight.size(1), out = weight.size(0);
  // Tiles of 2x2 save less: they have to be wide for that to outweigh the transforms.
  const int64_t fewest = x.scalar_type() == at::kBFloat16 ? 256 : 64;
  if (in % kLanes || out % kLanes || in < fewest || out < fewest) return false;
  // The filters are transformed at each call: that has to be little beside the products.
  return x.size(0) * height * width >= 1024 && height >= 8 && width >= 8;
}

at::Tensor winogradConv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool transposed) {
  return convolved(x, weight, bias, transposed, 1);
}

at::Tensor winogradDoubledConv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return convolved(x, weight, bias, /*transposed=*/false, 2);
}

}  // namespace ldm
