#include "patches.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>

namespace ldm {

namespace {

Size2 sides(const Value& params, const char* key) {
  const auto size = params.ints(key);
  if (size.size() != 2 || size[0] < 1 || size[1] < 1)
    invalid(std::string("'") + key + "' must hold a height and a width, but is " + params.get(key).describe());
  return {size[0], size[1]};
}

std::string text(const Size2& size) { return std::to_string(size.first) + "x" + std::to_string(size.second); }

}  // namespace

SplitInput::SplitInput(const Value& params)
    : kernel(sides(params, "ks")),
      stride(sides(params, "stride")),
      factor(params.integer("vqf")),
      firstStage(params.boolean("patch_distributed_vq")),
      tieBraker(params.boolean("tie_braker")),
      minWeight(params.number("clip_min_weight")),
      maxWeight(params.number("clip_max_weight")),
      minTieWeight(params.number("clip_min_tie_weight")),
      maxTieWeight(params.number("clip_max_tie_weight")) {
  if (!(minWeight > 0) || (tieBraker && !(minTieWeight > 0)))
    invalid(
        "'clip_min_weight' and 'clip_min_tie_weight' must be positive: with 0 the border of the image has no weight");
  if (factor < 1) invalid("'vqf' must be at least 1, but is " + std::to_string(factor));
  if (params.has("original_image_size")) originalImageSize = sides(params, "original_image_size");
  if (params.has("bbox_tokens")) bboxTokens = params.integer("bbox_tokens");
}

SplitInput SplitInput::reducedTo(int64_t height, int64_t width) const {
  SplitInput out = *this;
  out.kernel = {std::min(kernel.first, height), std::min(kernel.second, width)};
  out.stride = {std::min(stride.first, height), std::min(stride.second, width)};
  return out;
}

at::Tensor borderDistance(int64_t height, int64_t width) {
  const auto along = [](int64_t length) {
    if (length == 1) return at::full({1}, 0.5, at::kFloat);
    const at::Tensor position = at::arange(length, at::kFloat) / (length - 1);
    return at::minimum(position, 1 - position);
  };
  return at::minimum(along(height).unsqueeze(1), along(width).unsqueeze(0));
}

Patches::Patches(const SplitInput& split, const at::Tensor& x, int64_t enlarge, int64_t reduce)
    : kernel_(split.kernel), stride_(split.stride), size_(x.size(2), x.size(3)), enlarge_(enlarge), reduce_(reduce) {
  const auto fits = [](int64_t size, int64_t kernel, int64_t stride) {
    return size >= kernel && (size - kernel) % stride == 0;
  };
  if (!fits(size_.first, kernel_.first, stride_.first) || !fits(size_.second, kernel_.second, stride_.second))
    invalid("Patches of " + text(kernel_) + " (ks) every " + text(stride_) + " (stride) do not cover an input of " +
            text(size_) + ": (size - ks) must be a multiple of the stride, height and width alike");
  rows_ = (size_.first - kernel_.first) / stride_.first + 1;
  columns_ = (size_.second - kernel_.second) / stride_.second + 1;

  const int64_t h = scaled(kernel_.first), w = scaled(kernel_.second);
  at::Tensor weights = borderDistance(h, w).clamp(split.minWeight, split.maxWeight).unsqueeze(-1);
  weights = weights.expand({h, w, count()});
  if (split.tieBraker)
    weights = weights * borderDistance(rows_, columns_).clamp(split.minTieWeight, split.maxTieWeight).flatten();
  weighting_ = weights.to(x.options().requires_grad(false)).view({1, 1, h, w, count()});

  std::vector<at::Tensor> each;
  for (int64_t i = 0; i < count(); ++i) each.push_back(weighting_.select(-1, i));
  normalization_ = sum(each);
}

Size2 Patches::corner(int64_t patch) const {
  return {patch / columns_ * stride_.first, patch % columns_ * stride_.second};
}

std::vector<at::Tensor> Patches::cut(const at::Tensor& x) const {
  if (x.dim() != 4 || x.size(2) != size_.first || x.size(3) != size_.second)
    invalid("With split_input_params a conditioning that is concatenated must be as large as the latents, [n, c, " +
            std::to_string(size_.first) + ", " + std::to_string(size_.second) + "], but it is " + Value(x).describe());
  std::vector<at::Tensor> out;
  for (int64_t i = 0; i < count(); ++i) {
    const auto [top, left] = corner(i);
    out.push_back(x.slice(2, top, top + kernel_.first).slice(3, left, left + kernel_.second).contiguous());
  }
  return out;
}

at::Tensor Patches::merge(const std::vector<at::Tensor>& patches) const {
  std::vector<at::Tensor> weighted;
  for (size_t i = 0; i < patches.size(); ++i) {
    const at::Tensor& patch = patches[i];
    if (patch.size(2) != weighting_.size(2) || patch.size(3) != weighting_.size(3))
      invalid("Patches of " + text(kernel_) + " gave results of " + text({patch.size(2), patch.size(3)}) +
              " where 'vqf' lets expect " + text({weighting_.size(2), weighting_.size(3)}) +
              ": set it to the factor of the first stage, and take sides that it divides");
    weighted.push_back(patch * weighting_.select(-1, static_cast<int64_t>(i)));
  }
  return sum(weighted) / normalization_;
}

at::Tensor Patches::sum(const std::vector<at::Tensor>& weighted) const {
  const at::Tensor& first = weighted.front();
  at::Tensor out =
      at::zeros({first.size(0), first.size(1), scaled(size_.first), scaled(size_.second)}, first.options());
  // The last patch first: torch's fold adds in this order.
  for (int64_t i = count() - 1; i >= 0; --i) {
    const auto [row, column] = corner(i);
    const int64_t top = scaled(row), left = scaled(column);
    out.slice(2, top, top + first.size(2)).slice(3, left, left + first.size(3)).add_(weighted[static_cast<size_t>(i)]);
  }
  return out;
}

}  // namespace ldm
