// The one-dimensional transforms of the gradient of Winograd's F(4, 3) for `kLanes` channels at a time; the points are
// those of winograd.cpp, `Four`.
#pragma once

#include "simd.h"

namespace ldm {

constexpr int64_t kTile = 4;           // outputs of a tile along each axis
constexpr int64_t kPatch = kTile + 2;  // inputs of a tile along each axis
constexpr int64_t kPlanes = kPatch * kPatch;
using Lane = float[kLanes];

// The interpolation points are 0, +-kNear, +-kFar and infinity. With these two, found by a search over pairs, the error
// in fp32 is a third of that with the customary 1 and 2 (Barabasz et al. 2020, "Error Analysis and Improving the
// Accuracy of Winograd Convolution for Deep Neural Networks", on why the points matter). All coefficients of the
// transforms of inputs and outputs are exact in fp32.
constexpr float kNear = 0.75f, kFar = 1.5f;
constexpr float kNear2 = kNear * kNear, kFar2 = kFar * kFar, kNear3 = kNear2 * kNear, kFar3 = kFar2 * kFar;

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

/// G^T u, the adjoint of the transform of filters: six values to three taps.
LDM_INLINE void filterGradientTransform(const Lane* in, Lane* out, int64_t si, int64_t so) {
  constexpr float atZero = 1 / (kNear2 * kFar2), atNear = 1 / (2 * kNear2 * (kNear2 - kFar2)),
                  atFar = 1 / (2 * kFar2 * (kFar2 - kNear2));
  for (int64_t k = 0; k < kLanes; ++k) {
    const float a = in[0][k], b = in[si][k], c = in[2 * si][k], d = in[3 * si][k], e = in[4 * si][k], f = in[5 * si][k];
    const float near = (b + c) * atNear, nearOdd = (b - c) * atNear, far = (d + e) * atFar, farOdd = (d - e) * atFar;
    out[0][k] = a * atZero + near + far;
    out[so][k] = kNear * nearOdd + kFar * farOdd;
    out[2 * so][k] = kNear2 * near + kFar2 * far + f;
  }
}

/// A y, the adjoint of the transform of products: four values to six.
LDM_INLINE void outputGradientTransform(const Lane* in, Lane* out, int64_t si, int64_t so) {
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

/// The tiles of an image.
struct TileGrid {
  TileGrid(int64_t height, int64_t width)
      : height(height), width(width), tilesY((height + kTile - 1) / kTile), tilesX((width + kTile - 1) / kTile) {}
  int64_t height, width, tilesY, tilesX;
};

}  // namespace ldm
