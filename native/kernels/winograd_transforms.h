// The one-dimensional transforms of Winograd's algorithms for `kLanes` channels at a time, and the tiles of images that
// they work on: shared by the convolution and its gradient.
#pragma once

#include <cstdint>
#include <cstring>

#include "../core/simd.h"

namespace ldm {

using Lane = float[kLanes];

// The interpolation points of F(4x4, 3x3) are 0, +-kNear, +-kFar and infinity. With these two, found by a search over
// pairs, the error in fp32 is a third of that with the customary 1 and 2 (Barabasz et al. 2020, "Error Analysis and
// Improving the Accuracy of Winograd Convolution for Deep Neural Networks", on why the points matter). All coefficients
// of the transforms of inputs and outputs are exact in fp32.
constexpr float kNear = 0.75f, kFar = 1.5f;
constexpr float kNear2 = kNear * kNear, kFar2 = kFar * kFar, kNear3 = kNear2 * kNear, kFar3 = kFar2 * kFar;

/// F(outputs x outputs, taps x taps) for fp32, of which six values belong to a tile along each axis.
template <int64_t kOutputs, int64_t kFilterTaps>
struct SixPoints {
  using Number = float;
  static constexpr int64_t kTaps = kFilterTaps;
  static constexpr int64_t kTile = kOutputs;            // outputs of a tile along each axis
  static constexpr int64_t kPatch = kTile + kTaps - 1;  // inputs of a tile along each axis
  static constexpr int64_t kPlanes = kPatch * kPatch;
  static_assert(kPatch == 6 && (kTaps == 2 || kTaps == 3));

  /// G g: the taps to six, for `kLanes` filters at a time. `in` and `out` are strided by `si` and `so` lanes.
  static LDM_INLINE void filter(const Lane* in, Lane* out, int64_t si, int64_t so) {
    constexpr float atZero = 1 / (kNear2 * kFar2), atNear = 1 / (2 * kNear2 * (kNear2 - kFar2)),
                    atFar = 1 / (2 * kFar2 * (kFar2 - kNear2));
    for (int64_t k = 0; k < kLanes; ++k) {
      const float a = in[0][k], b = in[si][k];
      float nearSum = a, farSum = a;
      if constexpr (kTaps == 3) {
        nearSum += in[2 * si][k] * kNear2;
        farSum += in[2 * si][k] * kFar2;
      }
      const float evenNear = nearSum * atNear, oddNear = b * (kNear * atNear);
      const float evenFar = farSum * atFar, oddFar = b * (kFar * atFar);
      out[0][k] = a * atZero;
      out[so][k] = evenNear + oddNear;
      out[2 * so][k] = evenNear - oddNear;
      out[3 * so][k] = evenFar + oddFar;
      out[4 * so][k] = evenFar - oddFar;
      out[5 * so][k] = in[(kTaps - 1) * si][k];
    }
  }

  /// B^T d: six inputs to six.
  static LDM_INLINE void input(const Lane* in, Lane* out, int64_t si, int64_t so) {
    constexpr float product = kNear2 * kFar2, sum = kNear2 + kFar2;
    for (int64_t k = 0; k < kLanes; ++k) {
      const float a = in[0][k], b = in[si][k], c = in[2 * si][k], d = in[3 * si][k], e = in[4 * si][k],
                  f = in[5 * si][k];
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

  /// A^T m: six products to the outputs.
  static LDM_INLINE void output(const Lane* in, Lane* out, int64_t si, int64_t so) {
    for (int64_t k = 0; k < kLanes; ++k) {
      const float a = in[0][k], b = in[si][k], c = in[2 * si][k], d = in[3 * si][k], e = in[4 * si][k],
                  f = in[5 * si][k];
      const float near = b + c, nearOdd = b - c, far = d + e, farOdd = d - e;
      out[0][k] = a + near + far;
      out[so][k] = kNear * nearOdd + kFar * farOdd;
      out[2 * so][k] = kNear2 * near + kFar2 * far;
      if constexpr (kTile == 4) {
        out[3 * so][k] = kNear3 * nearOdd + kFar3 * farOdd + f;
      } else {
        out[3 * so][k] = kNear3 * nearOdd + kFar3 * farOdd;
        out[4 * so][k] = kNear2 * kNear2 * near + kFar2 * kFar2 * far + f;
      }
    }
  }
};

/// F(5x5, 2x2).
using Five = SixPoints<5, 2>;

/// F(4x4, 3x3), and what its gradient needs.
struct Four : SixPoints<4, 3> {
  /// G^T u, the adjoint of the transform of filters: six values to three taps.
  static LDM_INLINE void filterAdjoint(const Lane* in, Lane* out, int64_t si, int64_t so) {
    constexpr float atZero = 1 / (kNear2 * kFar2), atNear = 1 / (2 * kNear2 * (kNear2 - kFar2)),
                    atFar = 1 / (2 * kFar2 * (kFar2 - kNear2));
    for (int64_t k = 0; k < kLanes; ++k) {
      const float a = in[0][k], b = in[si][k], c = in[2 * si][k], d = in[3 * si][k], e = in[4 * si][k],
                  f = in[5 * si][k];
      const float near = (b + c) * atNear, nearOdd = (b - c) * atNear, far = (d + e) * atFar, farOdd = (d - e) * atFar;
      out[0][k] = a * atZero + near + far;
      out[so][k] = kNear * nearOdd + kFar * farOdd;
      out[2 * so][k] = kNear2 * near + kFar2 * far + f;
    }
  }

  /// A y, the adjoint of the transform of products: four values to six.
  static LDM_INLINE void outputAdjoint(const Lane* in, Lane* out, int64_t si, int64_t so) {
    for (int64_t k = 0; k < kLanes; ++k) {
      const float a = in[0][k], b = in[si][k], c = in[2 * si][k], d = in[3 * si][k];
      const float evenNear = a + kNear2 * c, oddNear = kNear * b + kNear3 * d;
      const float evenFar = a + kFar2 * c, oddFar = kFar * b + kFar3 * d;
      out[0][k] = a;
      out[so][k] = evenNear + oddNear;
      out[2 * so][k] = evenNear - oddNear;
      out[3 * so][k] = evenFar + oddFar;
      out[4 * so][k] = evenFar - oddFar;
      out[5 * so][k] = d;
    }
  }
};

/// F(2x2, 3x3), with the points 0, +-1 and infinity, for bfloat16: the transforms of a larger tile would multiply the
/// error of numbers with 8 bits by four.
struct Two {
  using Number = Bf16Bits;
  static constexpr int64_t kTile = 2;
  static constexpr int64_t kPatch = kTile + 2;
  static constexpr int64_t kPlanes = kPatch * kPatch;

  static LDM_INLINE void filter(const Lane* in, Lane* out, int64_t si, int64_t so) {
    for (int64_t k = 0; k < kLanes; ++k) {
      const float a = in[0][k], b = in[si][k], c = in[2 * si][k];
      out[0][k] = a;
      out[so][k] = 0.5f * (a + b + c);
      out[2 * so][k] = 0.5f * (a - b + c);
      out[3 * so][k] = c;
    }
  }
  static LDM_INLINE void input(const Lane* in, Lane* out, int64_t si, int64_t so) {
    for (int64_t k = 0; k < kLanes; ++k) {
      const float a = in[0][k], b = in[si][k], c = in[2 * si][k], d = in[3 * si][k];
      out[0][k] = a - c;
      out[so][k] = b + c;
      out[2 * so][k] = c - b;
      out[3 * so][k] = d - b;
    }
  }
  static LDM_INLINE void output(const Lane* in, Lane* out, int64_t si, int64_t so) {
    for (int64_t k = 0; k < kLanes; ++k) {
      const float a = in[0][k], b = in[si][k], c = in[2 * si][k], d = in[3 * si][k];
      out[0][k] = a + b + c;
      out[so][k] = b - c + d;
    }
  }
};

LDM_INLINE void load(const float* from, Lane& to) { std::memcpy(to, from, sizeof(Lane)); }
LDM_INLINE void load(const Bf16Bits* from, Lane& to) {
  for (int64_t k = 0; k < kLanes; ++k) to[k] = widen(from[k]);
}
LDM_INLINE void store(const Lane& from, float* to) { std::memcpy(to, from, sizeof(Lane)); }
LDM_INLINE void store(const Lane& from, Bf16Bits* to) {
  for (int64_t k = 0; k < kLanes; ++k) to[k] = narrow<Bf16Bits>(from[k]);
}

/// Where an enlarged image is convolved with 3x3 taps, one of the four images that the result is made of: the rows
/// 2i + y and columns 2j + x, each of which is the original's convolution with 2x2 sums of the taps.
struct Phase {
  int64_t y, x;
};

/// The tiles of an image, of tile x tile outputs each.
struct TileGrid {
  TileGrid(int64_t height, int64_t width, int64_t tile, bool doubled = false)
      : height(height),
        width(width),
        tilesY((height + tile - 1) / tile),
        tilesX((width + tile - 1) / tile),
        tile(tile),
        shift(doubled ? 1 : 0) {}
  /// Those of a phase; height and width are the original's.
  TileGrid(int64_t height, int64_t width, int64_t tile, const Phase& phase) : TileGrid(height, width, tile) {
    step = 2;
    this->phase = phase;
  }
  int64_t height, width, tilesY, tilesX, tile;
  int64_t shift;      ///< 1 where each pixel in memory stands for 2x2 of the image, else 0
  int64_t step = 1;   ///< distance of two outputs in the result
  Phase phase{0, 0};  ///< where the first of them is
  /// Rows and columns of a tile's inputs above and before its outputs.
  int64_t above() const { return 1 - phase.y; }
  int64_t before() const { return 1 - phase.x; }
  int64_t sourcePixels() const { return (height >> shift) * (width >> shift); }
  /// Where a tile's first output lies among the pixels of the results, and how far from it the next row's and the next
  /// column's are.
  LDM_INLINE int64_t resultAt(int64_t image, int64_t y, int64_t x) const {
    return ((image * height + y) * step + phase.y) * width * step + x * step + phase.x;
  }
  int64_t rowStep() const { return step * width * step; }
  int64_t columnStep() const { return step; }

  /// An image of the batch, and the first row and column of a tile of its result.
  struct Place {
    int64_t image, y, x;
  };
  LDM_INLINE Place place(int64_t t) const {
    const int64_t inside = t % (tilesY * tilesX);
    return {t / (tilesY * tilesX), inside / tilesX * tile, inside % tilesX * tile};
  }
};

/// kSide x kSide values of an image x[H][W][stride] from (y0, x0) on, kLanes channels of each; zeros outside of the
/// image. H and W are halved where the grid says so.
template <int64_t kSide, class T>
LDM_INLINE void gather(const T* x, Lane* patch, int64_t stride, const TileGrid& g, int64_t y0, int64_t x0) {
  for (int64_t i = 0; i < kSide; ++i)
    for (int64_t j = 0; j < kSide; ++j) {
      const int64_t row = y0 + i, column = x0 + j;
      Lane& to = patch[i * kSide + j];
      if (row < 0 || row >= g.height || column < 0 || column >= g.width)
        std::memset(to, 0, sizeof(Lane));
      else
        load(x + ((row >> g.shift) * (g.width >> g.shift) + (column >> g.shift)) * stride, to);
    }
}

}  // namespace ldm
