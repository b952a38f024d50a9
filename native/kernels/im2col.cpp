#include "im2col.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cstring>
#include <vector>

#include "linear.h"

namespace ldm {

namespace {

/// Output pixels up to which the weights outweigh the patches.
constexpr int64_t kFewPixels = 512;

struct Patches {
  int64_t batch, channels, height, width;  ///< of the image
  int64_t rows, columns;                   ///< of the result
  int64_t kernelY, kernelX, stride, padding;

  Patches(const at::Tensor& x, const at::Tensor& weight, int64_t s, int64_t p)
      : batch(x.size(0)),
        channels(x.size(1)),
        height(x.size(2)),
        width(x.size(3)),
        rows((height + 2 * p - weight.size(2)) / s + 1),
        columns((width + 2 * p - weight.size(3)) / s + 1),
        kernelY(weight.size(2)),
        kernelX(weight.size(3)),
        stride(s),
        padding(p) {}
  int64_t pixels() const { return batch * rows * columns; }
  int64_t taps() const { return kernelY * kernelX; }
};

/// x[N][H][W][C] -> columns[pixel][C][taps], the order of a row of the weights.
template <class T>
void unfold(const T* x, T* columns, const Patches& p, int64_t begin, int64_t end) {
  const int64_t taps = p.taps();
  const std::vector<T> outside(static_cast<size_t>(p.channels));
  std::vector<const T*> sources(static_cast<size_t>(taps));
  for (int64_t pixel = begin; pixel < end; ++pixel) {
    const int64_t image = pixel / (p.rows * p.columns), inside = pixel % (p.rows * p.columns);
    const int64_t y0 = inside / p.columns * p.stride - p.padding, x0 = inside % p.columns * p.stride - p.padding;
    for (int64_t t = 0; t < taps; ++t) {
      const int64_t row = y0 + t / p.kernelX, column = x0 + t % p.kernelX;
      const bool within = row >= 0 && row < p.height && column >= 0 && column < p.width;
      sources[t] = within ? x + ((image * p.height + row) * p.width + column) * p.channels : outside.data();
    }
    T* target = columns + pixel * p.channels * taps;
    for (int64_t c = 0; c < p.channels; ++c)
      for (int64_t t = 0; t < taps; ++t) target[c * taps + t] = sources[t][c];
  }
}

template <class T>
at::Tensor unfolded(const at::Tensor& image, const Patches& p) {
  const at::Tensor x = image.contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor columns = at::empty({p.pixels(), p.channels * p.taps()}, x.options().memory_format(std::nullopt));
  at::parallel_for(0, p.pixels(), 8, [&](int64_t begin, int64_t end) {
    unfold(x.const_data_ptr<T>(), columns.mutable_data_ptr<T>(), p, begin, end);
  });
  return columns;
}

}  // namespace

at::Tensor patchesOf(const at::Tensor& x, const at::Tensor& weight, int64_t stride, int64_t padding) {
  const Patches p(x, weight, stride, padding);
  return x.scalar_type() == at::kFloat ? unfolded<float>(x, p) : unfolded<at::BFloat16>(x, p);
}

bool im2colSuits(const at::Tensor& x, const at::Tensor& weight, int64_t stride, int64_t padding) {
  const Patches p(x, weight, stride, padding);
  // An image smaller than the kernel is libtorch's to refuse.
  const bool fits = p.height + 2 * padding >= p.kernelY && p.width + 2 * padding >= p.kernelX;
  return p.channels >= 64 && fits && p.pixels() <= kFewPixels;
}

at::Tensor im2colConv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, int64_t stride,
                      int64_t padding) {
  const Patches p(x, weight, stride, padding);
  const at::Tensor y = matrixProduct(patchesOf(x, weight, stride, padding), weight.contiguous().flatten(1), bias);
  return y.view({p.batch, p.rows, p.columns, weight.size(0)}).permute({0, 3, 1, 2});
}

}  // namespace ldm
