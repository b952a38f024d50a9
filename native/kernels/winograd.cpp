#include "winograd.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "linear.h"
#include "simd.h"
#include "workspace.h"

namespace ldm {

namespace {

constexpr int64_t kTile = 4;           // outputs of a tile along each axis
constexpr int64_t kPatch = kTile + 2;  // inputs of a tile along each axis
constexpr int64_t kPlanes = kPatch * kPatch;
/// Transformed inputs and filters that are held at a time: what the last-level cache has room for.
constexpr int64_t kHeldInputs = int64_t{6} << 20;
constexpr int64_t kHeldFilters = int64_t{10} << 20;

using Lane = float[kLanes];

/// Distance of two planes of `rows` rows. Planes a power of two apart would share their places in the caches.
int64_t planeStride(int64_t rows, int64_t channels) { return rows * channels + 17 * kLanes; }

// The interpolation points are 0, +-kNear, +-kFar and infinity. With these two, found by a search over pairs, the error
// in fp32 is a third of that with the customary 1 and 2 (Barabasz et al. 2020, "Error Analysis and Improving the
// Accuracy of Winograd Convolution for Deep Neural Networks", on why the points matter). All coefficients of the
// transforms of inputs and outputs are exact in fp32.
constexpr float kNear = 0.75f, kFar = 1.5f;
constexpr float kNear2 = kNear * kNear, kFar2 = kFar * kFar, kNear3 = kNear2 * kNear, kFar3 = kFar2 * kFar;

/// G g: three taps to six, for `kLanes` filters at a time. `in` and `out` are strided by `si` and `so` lanes.
LDM_INLINE void filterTransform(const Lane* in, Lane* out, int64_t si, int64_t so) {
  constexpr float atZero = 1 / (kNear2 * kFar2), atNear = 1 / (2 * kNear2 * (kNear2 - kFar2)),
                  atFar = 1 / (2 * kFar2 * (kFar2 - kNear2));
  for (int64_t k = 0; k < kLanes; ++k) {
    const float a = in[0][k], b = in[si][k], c = in[2 * si][k];
    const float evenNear = (a + c * kNear2) * atNear, oddNear = b * (kNear * atNear);
    const float evenFar = (a + c * kFar2) * atFar, oddFar = b * (kFar * atFar);
    out[0][k] = a * atZero;
    out[so][k] = evenNear + oddNear;
    out[2 * so][k] = evenNear - oddNear;
    out[3 * so][k] = evenFar + oddFar;
    out[4 * so][k] = evenFar - oddFar;
    out[5 * so][k] = c;
  }
}

/// B^T d: six inputs to six.
LDM_INLINE void inputTransform(const Lane* in, Lane* out, int64_t si, int64_t so) {
  constexpr float product = kNear2 * kFar2, sum = kNear2 + kFar2;
  for (int64_t k = 0; k < kLanes; ++k) {
    const float a = in[0][k], b = in[si][k], c = in[2 * si][k], d = in[3 * si][k], e = in[4 * si][k], f = in[5 * si][k];
    const float evenNear = e - kFar2 * c, oddNear = kNear * (d - kFar2 * b);
    const float evenFar = e - kNear2 * c, oddFar = kFar * (d - kNear2 * b);
    out[0][k] = product * a - sum * c + e;
    out[so][k] = evenNear + oddNear;
    out[2 * so][k] = evenNear - oddNear;
    out[3 * so][k] = evenFar + oddFar;
    out[4 * so][k] = evenFar - oddFar;
    out[5 * so][k] = product * b - sum * d + f;
  }
}

/// A^T m: six products to four outputs.
LDM_INLINE void outputTransform(const Lane* in, Lane* out, int64_t si, int64_t so) {
  for (int64_t k = 0; k < kLanes; ++k) {
    const float a = in[0][k], b = in[si][k], c = in[2 * si][k], d = in[3 * si][k], e = in[4 * si][k], f = in[5 * si][k];
    const float near = b + c, nearOdd = b - c, far = d + e, farOdd = d - e;
    out[0][k] = a + near + far;
    out[so][k] = kNear * nearOdd + kFar * farOdd;
    out[2 * so][k] = kNear2 * near + kFar2 * far;
    out[3 * so][k] = kNear3 * nearOdd + kFar3 * farOdd + f;
  }
}

/// weight[o][c][3][3] -> u[36][O][C] for output channels [begin, end).
LDM_SIMD void transformFilters(const float* weight, float* u, int64_t outChannels, int64_t channels, int64_t begin,
                               int64_t end) {
  const int64_t plane = planeStride(outChannels, channels);
  for (int64_t o = begin; o < end; ++o)
    for (int64_t c = 0; c < channels; c += kLanes) {
      const float* source = weight + (o * channels + c) * 9;
      Lane taps[9], half[kPatch * 3], full[kPlanes];
      for (int64_t i = 0; i < 9; ++i)
        for (int64_t k = 0; k < kLanes; ++k) taps[i][k] = source[k * 9 + i];
      for (int64_t j = 0; j < 3; ++j) filterTransform(taps + j, half + j, 3, 3);
      for (int64_t i = 0; i < kPatch; ++i) filterTransform(half + i * 3, full + i * kPatch, 1, 1);
      float* target = u + o * channels + c;
      for (int64_t p = 0; p < kPlanes; ++p) std::memcpy(target + p * plane, full[p], sizeof(Lane));
    }
}

struct Geometry {
  int64_t height, width, tilesY, tilesX;
};

/// x[N][H][W][C] -> v[36][T][C] for tiles [begin, end) of a block that starts at tile `first`.
LDM_SIMD void transformInputs(const float* x, float* v, int64_t channels, const Geometry& g, int64_t first,
                              int64_t block, int64_t begin, int64_t end) {
  const int64_t plane = planeStride(block, channels);
  for (int64_t t = begin; t < end; ++t) {
    const int64_t image = t / (g.tilesY * g.tilesX), inside = t % (g.tilesY * g.tilesX);
    const int64_t y0 = inside / g.tilesX * kTile - 1, x0 = inside % g.tilesX * kTile - 1;
    const float* source = x + image * g.height * g.width * channels;
    for (int64_t c = 0; c < channels; c += kLanes) {
      Lane patch[kPlanes], half[kPlanes], full[kPlanes];
      for (int64_t i = 0; i < kPatch; ++i)
        for (int64_t j = 0; j < kPatch; ++j) {
          const int64_t row = y0 + i, column = x0 + j;
          Lane& to = patch[i * kPatch + j];
          if (row < 0 || row >= g.height || column < 0 || column >= g.width)
            std::memset(to, 0, sizeof(Lane));
          else
            std::memcpy(to, source + (row * g.width + column) * channels + c, sizeof(Lane));
        }
      for (int64_t j = 0; j < kPatch; ++j) inputTransform(patch + j, half + j, kPatch, kPatch);
      for (int64_t i = 0; i < kPatch; ++i) inputTransform(half + i * kPatch, full + i * kPatch, 1, 1);
      float* target = v + (t - first) * channels + c;
      for (int64_t p = 0; p < kPlanes; ++p) std::memcpy(target + p * plane, full[p], sizeof(Lane));
    }
  }
}

/// m[36] of [T][O] -> O of the `channels` of y[N][H][W][channels], with bias, for tiles [begin, end) of a block that
/// starts at tile `first`.
LDM_SIMD void transformOutputs(const std::array<const float*, kPlanes>& m, int64_t outs, const float* bias, float* y,
                               int64_t channels, const Geometry& g, int64_t first, int64_t begin, int64_t end) {
  for (int64_t t = begin; t < end; ++t) {
    const int64_t image = t / (g.tilesY * g.tilesX), inside = t % (g.tilesY * g.tilesX);
    const int64_t y0 = inside / g.tilesX * kTile, x0 = inside % g.tilesX * kTile;
    float* target = y + image * g.height * g.width * channels;
    for (int64_t c = 0; c < outs; c += kLanes) {
      Lane product[kPlanes], half[kTile * kPatch], full[kTile * kTile];
      for (int64_t p = 0; p < kPlanes; ++p) std::memcpy(product[p], m[p] + (t - first) * outs + c, sizeof(Lane));
      for (int64_t j = 0; j < kPatch; ++j) outputTransform(product + j, half + j, kPatch, kPatch);
      for (int64_t i = 0; i < kTile; ++i) outputTransform(half + i * kPatch, full + i * kTile, 1, 1);
      for (int64_t i = 0; i < std::min(kTile, g.height - y0); ++i)
        for (int64_t j = 0; j < std::min(kTile, g.width - x0); ++j) {
          float* to = target + ((y0 + i) * g.width + x0 + j) * channels + c;
          for (int64_t k = 0; k < kLanes; ++k) to[k] = full[i * kTile + j][k] + bias[c + k];
        }
    }
  }
}

}  // namespace

bool winogradSuits(const at::Tensor& x, const at::Tensor& weight) {
  if (x.scalar_type() != at::kFloat || weight.size(2) != 3 || weight.size(3) != 3) return false;
  const int64_t in = weight.size(1), out = weight.size(0), pixels = x.size(0) * x.size(2) * x.size(3);
  if (in % kLanes || out % kLanes || in < 64 || out < 64) return false;
  // The filters are transformed at each call: that has to be little beside the products.
  return pixels >= 1024 && x.size(2) >= 8 && x.size(3) >= 8;
}

at::Tensor winogradConv3x3(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) {
  at::NoGradGuard noGrad;
  const at::Tensor x = input.contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor w = weight.contiguous();
  const int64_t batch = x.size(0), in = w.size(1), out = w.size(0);
  const at::Tensor offset = bias.defined() ? bias.contiguous() : at::zeros({out}, w.options());
  const Geometry g{x.size(2), x.size(3), (x.size(2) + kTile - 1) / kTile, (x.size(3) + kTile - 1) / kTile};
  at::Tensor y = at::empty({batch, out, g.height, g.width}, x.options().memory_format(at::MemoryFormat::ChannelsLast));

  const int64_t tiles = batch * g.tilesY * g.tilesX;
  const int64_t tileBlock = std::min(tiles, std::max<int64_t>(128, kHeldInputs / (kPlanes * std::max(in, out))));
  const int64_t outBlock = std::min(out, std::max<int64_t>(1, kHeldFilters / (kPlanes * in * kLanes)) * kLanes);
  const at::Tensor u = workspace(0, kPlanes * planeStride(outBlock, in));
  const at::Tensor v = workspace(1, kPlanes * planeStride(tileBlock, in));
  const auto plane = [in](const at::Tensor& planes, int64_t p, int64_t rows) {
    return planes.narrow(0, p * planeStride(rows, in), rows * in).view({rows, in});
  };

  for (int64_t firstOut = 0; firstOut < out; firstOut += outBlock) {
    const int64_t outs = std::min(outBlock, out - firstOut);
    at::parallel_for(0, outs, 8, [&](int64_t begin, int64_t end) {
      transformFilters(w.const_data_ptr<float>() + firstOut * in * 9, u.mutable_data_ptr<float>(), outs, in, begin,
                       end);
    });
    for (int64_t first = 0; first < tiles; first += tileBlock) {
      const int64_t count = std::min(tileBlock, tiles - first);
      if (firstOut == 0 || tileBlock < tiles)
        at::parallel_for(first, first + count, 8, [&](int64_t begin, int64_t end) {
          transformInputs(x.const_data_ptr<float>(), v.mutable_data_ptr<float>(), in, g, first, count, begin, end);
        });
      std::vector<at::Tensor> products;
      std::array<const float*, kPlanes> m;
      for (int64_t p = 0; p < kPlanes; ++p) {
        products.push_back(matrixProduct(plane(v, p, count), plane(u, p, outs)));
        m[p] = products.back().const_data_ptr<float>();
      }
      at::parallel_for(first, first + count, 8, [&](int64_t begin, int64_t end) {
        transformOutputs(m, outs, offset.const_data_ptr<float>() + firstOut, y.mutable_data_ptr<float>() + firstOut,
                         out, g, first, begin, end);
      });
    }
  }
  return y;
}

}  // namespace ldm
