#include "rows.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "../core/context.h"
#include "../kernels/conv2d.h"
#include "../kernels/group_norm.h"

namespace ldm::rows {

namespace {

thread_local int64_t tileSide = 0;
thread_local int64_t heldBytes = 0;  ///< of all images that are held on this thread

/// With fewer rows too many are computed for their neighbours only.
constexpr int64_t kFewestRows = 16;
/// Bytes of an image that are held for each pixel of a tile: 1 GiB with tiles of 256x256.
constexpr int64_t kHeldBytesPerPixel = int64_t{16} << 10;

/// Convolutions work on squares of as many rows.
constexpr int64_t kConvolvedRows = 4;

/// Rows of a strip of an image of that width: a quarter of a tile's pixels, because several images are worked on at a
/// time.
int64_t stripOf(const Image& image) {
  const int64_t rows = tileSide * tileSide / 4 / std::max<int64_t>(1, image.width());
  return std::min(image.height(), std::max(kFewestRows, rows / kConvolvedRows * kConvolvedRows));
}

/// Strips one after another.
void forStrips(const Image& image, const std::function<void(int64_t, int64_t)>& f) {
  const int64_t strip = stripOf(image);
  for (int64_t from = 0; from < image.height(); from += strip) {
    poll();
    f(from, std::min(image.height(), from + strip));
  }
}

class Stored : public Image {
 public:
  Stored(int64_t height, int64_t width) : Image(height, width) {}
  ~Stored() override { release(height()); }
  Stored(const Stored&) = delete;
  void append(at::Tensor strip) {
    heldBytes += static_cast<int64_t>(strip.nbytes());
    const int64_t end = ends_.empty() ? strip.size(2) : ends_.back() + strip.size(2);
    ends_.push_back(end);
    strips_.push_back(std::move(strip));
  }
  at::Tensor rows(int64_t from, int64_t to) override {
    std::vector<at::Tensor> parts;
    for (size_t i = 0; i < strips_.size(); ++i) {
      const int64_t begin = i == 0 ? 0 : ends_[i - 1], first = std::max(from, begin), last = std::min(to, ends_[i]);
      if (first < last) parts.push_back(strips_[i].narrow(2, first - begin, last - first));
    }
    return parts.size() == 1 ? parts[0] : at::cat(parts, 2);
  }
  int64_t origin(int64_t from) const override { return from; }
  void release(int64_t row) override {
    for (size_t i = 0; i < strips_.size() && ends_[i] <= row; ++i) {
      if (strips_[i].defined()) heldBytes -= static_cast<int64_t>(strips_[i].nbytes());
      strips_[i].reset();
    }
  }

 private:
  std::vector<at::Tensor> strips_;
  std::vector<int64_t> ends_;
};

/// An image that is computed from another.
class Derived : public Image {
 public:
  Derived(Rows x, int64_t height, int64_t width) : Image(height, width), x_(std::move(x)) {}
  explicit Derived(const Rows& x) : Derived(x, x->height(), x->width()) {}
  int64_t origin(int64_t from) const override { return x_->origin(from); }
  void release(int64_t row) override { x_->release(row); }

 protected:
  Rows x_;
};

class Remembered : public Derived {
 public:
  using Derived::Derived;
  at::Tensor rows(int64_t from, int64_t to) override {
    const int64_t end = last_.defined() ? first_ + last_.size(2) : 0;
    if (from < first_ || from >= end) {
      last_.reset();
      last_ = x_->rows(from, to);
      first_ = from;
    } else if (to > end) {
      // as large as what it shows: what it shows it from has to be free before more is computed
      at::Tensor before = last_.narrow(2, from - first_, end - from);
      before = before.clone(before.suggest_memory_format());
      last_.reset();
      last_ = at::cat({before, x_->rows(end, to)}, 2);
      first_ = from;
    }
    return last_.narrow(2, from - first_, to - from);
  }

 private:
  at::Tensor last_;
  int64_t first_ = 0;
};

class Mapped : public Derived {
 public:
  Mapped(const Rows& x, std::function<at::Tensor(const at::Tensor&)> f) : Derived(x), f_(std::move(f)) {}
  at::Tensor rows(int64_t from, int64_t to) override { return f_(x_->rows(from, to)); }

 private:
  std::function<at::Tensor(const at::Tensor&)> f_;
};

class Convolved : public Derived {
 public:
  Convolved(const Rows& x, std::shared_ptr<Conv> conv) : Derived(x), conv_(std::move(conv)) {}
  at::Tensor rows(int64_t from, int64_t to) override {
    // With the rows around, whose own results, which lack a neighbour, are dropped.
    const int64_t first = std::max<int64_t>(0, from - 1), last = std::min(height(), to + 1);
    return conv_->forward(x_->rows(first, last)).narrow(2, from - first, to - from);
  }
  int64_t origin(int64_t from) const override { return x_->origin(std::max<int64_t>(0, from - 1)); }

 private:
  std::shared_ptr<Conv> conv_;
};

class Halved : public Derived {
 public:
  Halved(const Rows& x, int64_t extra, std::function<at::Tensor(const at::Tensor&, bool)> f)
      : Derived(x, x->height() / 2, x->width() / 2), extra_(extra), f_(std::move(f)) {}
  at::Tensor rows(int64_t from, int64_t to) override {
    const int64_t last = 2 * to + extra_;
    return f_(x_->rows(2 * from, std::min(last, x_->height())), last > x_->height());
  }
  int64_t origin(int64_t from) const override { return x_->origin(2 * from); }

 private:
  int64_t extra_;
  std::function<at::Tensor(const at::Tensor&, bool)> f_;
};

class Doubled : public Derived {
 public:
  Doubled(const Rows& x, std::shared_ptr<Conv> conv)
      : Derived(x, 2 * x->height(), 2 * x->width()), conv_(std::move(conv)) {}
  at::Tensor rows(int64_t from, int64_t to) override {
    const int64_t beside = conv_ ? 1 : 0;
    const int64_t first = std::max<int64_t>(0, from - beside) / 2;
    const int64_t last = std::min(x_->height(), (to + beside + 1) / 2);
    const at::Tensor low = x_->rows(first, last);
    const at::Tensor y = conv_ ? doubledConv2d(low, conv_->weight, conv_->bias)
                               : at::upsample_nearest2d(low, {low.size(2) * 2, low.size(3) * 2}, 2.0, 2.0);
    return y.narrow(2, from - 2 * first, to - from);
  }
  int64_t origin(int64_t from) const override { return x_->origin(std::max<int64_t>(0, from - (conv_ ? 1 : 0)) / 2); }

 private:
  std::shared_ptr<Conv> conv_;  ///< or null
};

/// Of two images that are computed from the same one.
class Sum : public Derived {
 public:
  Sum(const Rows& a, Rows b) : Derived(a), b_(std::move(b)) {}
  at::Tensor rows(int64_t from, int64_t to) override {
    // The second first: it asks for more rows of what both need, which are remembered then.
    const at::Tensor b = b_->rows(from, to);
    return x_->rows(from, to) + b;
  }
  // Where the two come from images in memory of different sizes, the smaller of their rows is early enough for both.
  int64_t origin(int64_t from) const override { return std::min(x_->origin(from), b_->origin(from)); }
  void release(int64_t row) override {
    x_->release(row);
    b_->release(row);
  }

 private:
  Rows b_;
};

class Normalized : public Derived {
 public:
  Normalized(const Rows& x, std::shared_ptr<GroupNorm> norm, int64_t groups, double eps, bool silu)
      : Derived(x), norm_(std::move(norm)), groups_(groups), eps_(eps), silu_(silu) {}
  at::Tensor rows(int64_t from, int64_t to) override {
    if (!statistics_) {
      statistics_.emplace(groups_);
      forStrips(*x_, [&](int64_t a, int64_t b) { statistics_->add(x_->rows(a, b)); });
    }
    return statistics_->normalize(x_->rows(from, to), norm_->weight, norm_->bias, eps_, silu_);
  }

 private:
  std::shared_ptr<GroupNorm> norm_;
  int64_t groups_;
  double eps_;
  bool silu_;
  std::optional<GroupStatistics> statistics_;
};

}  // namespace

TileScope::TileScope(int64_t side) : previous_(tileSide) { tileSide = side; }
TileScope::~TileScope() { tileSide = previous_; }

bool wanted(const at::Tensor& image, int64_t scale) {
  if (tileSide <= 0 || image.dim() != 4 || at::GradMode::is_enabled()) return false;
  return image.size(2) * image.size(3) * scale * scale > tileSide * tileSide;
}

Rows whole(const at::Tensor& image) {
  auto stored = std::make_shared<Stored>(image.size(2), image.size(3));
  stored->append(image);
  return stored;
}

at::Tensor collected(const Rows& image) {
  at::Tensor all;
  forStrips(*image, [&](int64_t from, int64_t to) {
    const at::Tensor strip = image->rows(from, to);
    if (!all.defined())
      all = at::empty({strip.size(0), strip.size(1), image->height(), image->width()}, strip.options(),
                      strip.suggest_memory_format());
    all.narrow(2, from, to - from).copy_(strip);
  });
  return all;
}

Rows remembered(const Rows& image) { return std::make_shared<Remembered>(image); }

namespace {

/// The rows of an image as long as all of them take at most `most` bytes; `after(to)` is called behind each strip. Null
/// where they take more.
std::shared_ptr<Stored> stored(const Rows& image, int64_t most, const std::function<void(int64_t)>& after) {
  auto all = std::make_shared<Stored>(image->height(), image->width());
  bool tooLarge = false;
  forStrips(*image, [&](int64_t from, int64_t to) {
    if (tooLarge) return;
    at::Tensor strip = image->rows(from, to);
    tooLarge = static_cast<int64_t>(strip.nbytes()) / (to - from) * image->height() > most;
    if (tooLarge) return;
    // as large as what it shows: a view would keep the rows around it
    all->append(strip.nbytes() < strip.storage().nbytes() ? strip.clone(strip.suggest_memory_format()) : strip);
    after(to);
  });
  return tooLarge ? nullptr : all;
}

int64_t mostHeldBytes() { return kHeldBytesPerPixel * tileSide * tileSide; }

}  // namespace

Rows held(const Rows& image) {
  const auto all = stored(image, mostHeldBytes(), [&](int64_t to) { image->release(image->origin(to)); });
  return all ? all : remembered(image);
}

Rows heldBeside(const Rows& image) {
  const auto all = stored(image, mostHeldBytes() - heldBytes, [](int64_t) {});
  return all ? all : remembered(image);
}

Rows mapped(const Rows& x, std::function<at::Tensor(const at::Tensor&)> f) {
  return std::make_shared<Mapped>(x, std::move(f));
}
Rows convolved(const Rows& x, const std::shared_ptr<Conv>& conv) { return std::make_shared<Convolved>(x, conv); }
Rows halved(const Rows& x, int64_t extra, std::function<at::Tensor(const at::Tensor&, bool)> f) {
  return std::make_shared<Halved>(x, extra, std::move(f));
}
Rows doubled(const Rows& x, const std::shared_ptr<Conv>& conv) { return std::make_shared<Doubled>(x, conv); }
Rows sum(const Rows& a, const Rows& b) { return std::make_shared<Sum>(a, b); }
Rows normalized(const Rows& x, const std::shared_ptr<GroupNorm>& norm, int64_t groups, double eps, bool silu) {
  return std::make_shared<Normalized>(x, norm, groups, eps, silu);
}

}  // namespace ldm::rows
