// torchvision.utils.make_grid, as the reference's image logs use it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace ldm {

/// Images [n, c, h, w] side by side with black lines of 2 pixels between and around them, `columns` in a row: [c, H,
/// W]. Grey images become RGB. A single image is returned as it is.
at::Tensor makeGrid(const at::Tensor& images, int64_t columns);

/// One row per image, one column per entry of `steps` ([n, c, h, w] each): how the samples of a batch develop.
at::Tensor rowGrid(const std::vector<at::Tensor>& steps);

}  // namespace ldm
