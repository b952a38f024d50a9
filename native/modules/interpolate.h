// torch.nn.functional.interpolate with align_corners off.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace ldm {

/// Resizes the spatial dimensions of x by one factor; the new sizes are floor(size * factor).
/// @param x [n, c, l], [n, c, h, w] or [n, c, d, h, w]
/// @param method 'nearest' or 'area' (any number of spatial dimensions), 'linear' (one), 'bilinear' or 'bicubic' (two),
///   'trilinear' (three)
at::Tensor interpolateBy(const at::Tensor& x, double factor, const std::string& method);

/// Resizes x [n, c, h, w] to a size by the nearest pixel.
at::Tensor interpolateNearest(const at::Tensor& x, int64_t height, int64_t width);

}  // namespace ldm
