// Large images in overlapping patches: split_input_params of LatentDiffusion (get_fold_unfold, get_weighting and
// delta_border of ldm/models/diffusion/ddpm.py), which the reference's notebooks use for inputs larger than those of
// the training.
//
// Departures: kernels that are not square have their own height and width also for the enlarged or reduced patches
// (the reference takes the height twice); a single row or column of patches, and patches of a single row or column,
// have the distance of a centre to their border (the reference divides by zero); patches that do not cover the whole
// input are refused (the reference divides by zero there).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "../core/value.h"

namespace ldm {

using Size2 = std::pair<int64_t, int64_t>;  ///< height and width

/// The reference's split_input_params.
struct SplitInput {
  explicit SplitInput(const Value& params);

  Size2 kernel, stride;  ///< ks, stride: of the latents for the U-Net; of the input for the first stage
  int64_t factor;        ///< vqf: by how much the first stage's decoder enlarges
  bool firstStage;       ///< patch_distributed_vq: whether the first stage works on patches, too
  bool tieBraker;        ///< patches in the middle of the image weigh more than those at its border
  double minWeight, maxWeight, minTieWeight, maxTieWeight;
  std::optional<Size2> originalImageSize;  ///< of the image that a layout's boxes refer to
  std::optional<int64_t> bboxTokens;       ///< no_tokens of the builder that made a layout's tokens

  /// For inputs that are smaller than a patch, as the first stage has it.
  SplitInput reducedTo(int64_t height, int64_t width) const;
};

/// The patches of inputs of one size. A patch weighs less towards its border; where patches overlap, their weighted sum
/// is divided by the sum of the weights.
class Patches {
 public:
  /// What comes back for each patch may be larger or smaller than the patch by an integral factor.
  Patches(const SplitInput& split, const at::Tensor& x, int64_t enlarge = 1, int64_t reduce = 1);

  int64_t count() const { return rows_ * columns_; }
  int64_t columns() const { return columns_; }
  /// Height and width of a patch as a part of the input, and its top left corner.
  Size2 kernel() const { return kernel_; }
  Size2 corner(int64_t patch) const;

  /// Patches [n, c, kh, kw] of x [n, c, h, w], row by row.
  std::vector<at::Tensor> cut(const at::Tensor& x) const;
  /// The whole from what was made of the patches, in the order of `cut`.
  at::Tensor merge(const std::vector<at::Tensor>& patches) const;

  /// Weights of the positions of each patch, [1, 1, kh, kw, patches], in the size of what comes back.
  const at::Tensor& weighting() const { return weighting_; }
  /// Their sum at each position, [1, 1, h, w].
  const at::Tensor& normalization() const { return normalization_; }

 private:
  int64_t scaled(int64_t length) const { return length * enlarge_ / reduce_; }
  at::Tensor sum(const std::vector<at::Tensor>& weighted) const;

  Size2 kernel_, stride_, size_;
  int64_t enlarge_, reduce_, rows_, columns_;
  at::Tensor weighting_, normalization_;
};

/// The distance of each position of a grid to the border, [height, width]: 0 there, 0.5 in the middle.
at::Tensor borderDistance(int64_t height, int64_t width);

}  // namespace ldm
