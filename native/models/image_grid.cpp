#include "image_grid.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace ldm {

at::Tensor makeGrid(const at::Tensor& images, int64_t columns) {
  constexpr int64_t kPadding = 2;
  at::Tensor x = images.size(1) == 1 ? images.expand({-1, 3, -1, -1}) : images;
  const int64_t n = x.size(0);
  if (n == 1) return x.squeeze(0);
  const int64_t perRow = std::min(columns, n), rows = (n + perRow - 1) / perRow;
  const int64_t height = x.size(2) + kPadding, width = x.size(3) + kPadding;
  auto grid = at::zeros({x.size(1), height * rows + kPadding, width * perRow + kPadding}, x.options());
  for (int64_t i = 0; i < n; ++i)
    grid.narrow(1, i / perRow * height + kPadding, x.size(2))
        .narrow(2, i % perRow * width + kPadding, x.size(3))
        .copy_(x[i]);
  return grid;
}

at::Tensor rowGrid(const std::vector<at::Tensor>& steps) {
  return makeGrid(at::stack(steps, 1).flatten(0, 1), static_cast<int64_t>(steps.size()));
}

}  // namespace ldm
