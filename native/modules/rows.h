// Networks over images of any size in memory that follows a tile: images whose rows are computed when they are asked
// for.
//
// Overlapping tiles that are blended, the usual way, see other statistics than the whole image and show seams. Here
// group norms take their statistics over all rows in a pass of their own, and convolutions get the neighbouring rows
// that they need: the result is that of the whole image but for rounding. What is too large to hold is computed again
// for each pass.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

#include "layers.h"

namespace ldm::rows {

/// Makes first stages work by rows while it lives, on this thread.
class TileScope {
 public:
  /// @param side of a square in pixels: a quarter as many are worked on at a time, and what may be held follows it; 0:
  /// images as a whole
  explicit TileScope(int64_t side);
  ~TileScope();
  TileScope(const TileScope&) = delete;

 private:
  int64_t previous_;
};

/// Whether an image [n, c, h, w] with `scale` times its height and width is to be worked on by rows: a tile is set, the
/// image is larger, and no graph is recorded.
bool wanted(const at::Tensor& image, int64_t scale);

/// An image [n, c, h, w].
class Image {
 public:
  Image(int64_t height, int64_t width) : height_(height), width_(width) {}
  virtual ~Image() = default;
  int64_t height() const { return height_; }
  int64_t width() const { return width_; }
  /// Rows [from, to) as [n, c, to - from, w].
  virtual at::Tensor rows(int64_t from, int64_t to) = 0;
  /// The first row that the rows from `from` on need of the image in memory from which all is computed.
  virtual int64_t origin(int64_t from) const = 0;
  /// Frees what is before row `row` of the image in memory.
  virtual void release(int64_t row) = 0;

 private:
  int64_t height_, width_;
};
using Rows = std::shared_ptr<Image>;

/// A module that can work by rows.
class ByRows {
 public:
  virtual ~ByRows() = default;
  virtual Rows byRows(const Rows& x) = 0;
};

/// An image that exists.
Rows whole(const at::Tensor& image);
/// All of an image.
at::Tensor collected(const Rows& image);
/// The image with the rows that were asked for last, so that of the next ones only those are computed that are new.
Rows remembered(const Rows& image);
/// The image held in memory, if that takes at most 16 KiB for each pixel of a tile (1 GiB with 256x256), and what it
/// was computed from released meanwhile; else `remembered`.
Rows held(const Rows& image);
/// The image held in memory beside what it is computed from, if all that is held takes as little; else `remembered`.
Rows heldBeside(const Rows& image);

/// `f` of rows, which keeps them apart (1x1 convolutions, activations).
Rows mapped(const Rows& x, std::function<at::Tensor(const at::Tensor&)> f);
/// Convolution 3x3 with stride 1 and padding 1.
Rows convolved(const Rows& x, const std::shared_ptr<Conv>& conv);
/// Halved in both directions by `f` of rows [2 a, 2 b + extra) for rows [a, b); the second argument says that the last
/// one lies below the image.
Rows halved(const Rows& x, int64_t extra, std::function<at::Tensor(const at::Tensor&, bool)> f);
/// Nearest neighbour to twice the size, then `conv` (3x3, stride 1, padding 1) unless it is null.
Rows doubled(const Rows& x, const std::shared_ptr<Conv>& conv);
Rows sum(const Rows& a, const Rows& b);
/// x * sigmoid(x), unless `silu` is off, of the group norm over all rows.
Rows normalized(const Rows& x, const std::shared_ptr<GroupNorm>& norm, int64_t groups, double eps, bool silu);

}  // namespace ldm::rows
