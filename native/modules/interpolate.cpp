#include "interpolate.h"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "../core/value.h"

namespace ldm {

at::Tensor interpolateBy(const at::Tensor& x, double factor, const std::string& method) {
  const int64_t dims = x.dim() - 2;
  const std::vector<double> factors(dims < 0 ? 0 : dims, factor);
  if (method == "area") {
    std::vector<int64_t> size;
    for (int64_t i = 0; i < dims; i++)
      size.push_back(static_cast<int64_t>(std::floor(static_cast<double>(x.size(i + 2)) * factor)));
    if (dims == 1) return at::adaptive_avg_pool1d(x, size);
    if (dims == 2) return at::adaptive_avg_pool2d(x, size);
    if (dims == 3) return at::adaptive_avg_pool3d(x, size);
  }
  const auto none = c10::OptionalArrayRef<int64_t>();
  if (method == "nearest") {
    if (dims == 1) return at::upsample_nearest1d(x, none, factors);
    if (dims == 2) return at::upsample_nearest2d(x, none, factors);
    if (dims == 3) return at::upsample_nearest3d(x, none, factors);
  }
  if (method == "linear" && dims == 1) return at::upsample_linear1d(x, none, false, factors);
  if (method == "bilinear" && dims == 2) return at::upsample_bilinear2d(x, none, false, factors);
  if (method == "trilinear" && dims == 3) return at::upsample_trilinear3d(x, none, false, factors);
  if (method == "bicubic" && dims == 2) return at::upsample_bicubic2d(x, none, false, factors);
  invalid("Cannot resize " + Value(x).describe() + " with the method '" + method + "'");
}

at::Tensor interpolateNearest(const at::Tensor& x, int64_t height, int64_t width) {
  return at::upsample_nearest2d(x, {height, width});
}

}  // namespace ldm
