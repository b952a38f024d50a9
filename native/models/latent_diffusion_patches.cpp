// LatentDiffusion with split_input_params: the first stage and the U-Net work on overlapping patches, so that images
// much larger than those of the training fit.
//
// Departures: encoding with a KL first stage works (the reference stacks distributions and fails): the posteriors'
// means and log-variances are blended, and the blended posterior is drawn from. Layouts of several images at once work
// (the reference's concatenation of places takes one only), and columns of patches follow the widths, not the heights.
#include <ATen/ATen.h>

#include <cmath>

#include "../core/random.h"
#include "latent_diffusion.h"

namespace ldm {

void LatentDiffusion::announcePatches() {
  method("setSplitInputParams", [this](const Value& a) -> Value {
    split_.reset();
    encodedSize_.reset();
    if (a.has("params")) split_.emplace(a.get("params"));
    return {};
  });
  method("patchWeighting", [this](const Value& a) -> Value {
    if (!split_) invalid("the model has no split_input_params; set them first");
    const at::Tensor x = at::empty({1, 1, a.integer("height"), a.integer("width")}, at::kFloat);
    const Patches patches(*split_, x, a.integer("enlarge"), a.integer("reduce"));
    return Map{{"weighting", patches.weighting()}, {"normalization", patches.normalization()}};
  });
}

FirstStageEncoding LatentDiffusion::encodeFirstStage(const at::Tensor& x) {
  if (!split_ || !split_->firstStage) return firstStage_->encodeFirst(x);
  encodedSize_ = Size2{x.size(2), x.size(3)};
  const Patches patches(split_->reducedTo(x.size(2), x.size(3)), x, 1, split_->factor);
  std::vector<at::Tensor> encoded;
  bool posterior = false;
  for (const auto& patch : patches.cut(x)) {
    const auto encoding = firstStage_->encodeFirst(patch);
    posterior = encoding.posterior != nullptr;
    encoded.push_back(posterior ? at::cat({encoding.posterior->mean, encoding.posterior->logvar}, 1) : encoding.latent);
  }
  const at::Tensor whole = patches.merge(encoded);
  if (posterior) return {{}, std::make_shared<DiagonalGaussianDistribution>(whole)};
  return {whole, nullptr};
}

at::Tensor LatentDiffusion::decodeFirstStage(const at::Tensor& z, bool forceNotQuantize) {
  if (!split_ || !split_->firstStage) return firstStage_->decodeFirst(z, forceNotQuantize);
  const Patches patches(split_->reducedTo(z.size(2), z.size(3)), z, split_->factor);
  std::vector<at::Tensor> decoded;
  for (const auto& patch : patches.cut(z)) decoded.push_back(firstStage_->decodeFirst(patch, forceNotQuantize));
  return patches.merge(decoded);
}

at::Tensor LatentDiffusion::applyModel(const at::Tensor& x, const at::Tensor& t, const Conditioning& cond) {
  if (!split_) return DDPM::applyModel(x, t, cond);
  const Patches patches(*split_, x);
  const auto inputs = patches.cut(x);
  std::vector<Conditioning> conds(inputs.size(), cond);
  if (condStageKey_ == "coordinates_bbox" && !cond.crossattn.empty()) conds = layoutOfPatches(cond, patches, x);
  for (size_t c = 0; c < cond.concat.size(); ++c) {
    const auto parts = patches.cut(cond.concat[c]);
    for (size_t i = 0; i < parts.size(); ++i) conds[i].concat[c] = parts[i];
  }
  std::vector<at::Tensor> outputs;
  for (size_t i = 0; i < inputs.size(); ++i) outputs.push_back(DDPM::applyModel(inputs[i], t, conds[i]));
  return patches.merge(outputs);
}

std::vector<Conditioning> LatentDiffusion::layoutOfPatches(const Conditioning& cond, const Patches& patches,
                                                           const at::Tensor& x) {
  const at::Tensor& tokens = cond.crossattn.front();
  if (tokens.dim() != 2 || tokens.size(1) < 3)
    invalid(
        "With split_input_params a layout model takes the tokens of its boxes as conditioning, int64 [n, tokens], "
        "of which the last two are the place of the crop; it received " +
        Value(tokens).describe());
  if (!split_->bboxTokens)
    invalid("With split_input_params a layout model needs 'bbox_tokens', the no_tokens of its data set");
  // The tokens count places of a grid (taming.data.conditional_builder.objects_center_points).
  const auto sections = static_cast<int64_t>(std::sqrt(static_cast<double>(*split_->bboxTokens)));
  const auto token = [&](double left, double top) {
    const auto place = [&](double v) {
      return static_cast<int64_t>(std::nearbyint(v * static_cast<double>(sections - 1)));
    };
    return place(top) * sections + place(left);
  };
  const Size2 image = split_->originalImageSize ? *split_->originalImageSize
                      : encodedSize_            ? *encodedSize_
                                                : Size2{x.size(2) * downsampling_, x.size(3) * downsampling_};
  const auto share = [this](int64_t latent, int64_t whole) {
    return static_cast<double>(downsampling_ * latent) / static_cast<double>(whole);
  };
  const double height = share(patches.kernel().first, image.first);
  const double width = share(patches.kernel().second, image.second);

  std::vector<at::Tensor> layouts;
  for (int64_t i = 0; i < patches.count(); ++i) {
    const auto [row, column] = patches.corner(i);
    const double left = share(column, image.second), top = share(row, image.first);
    const at::Tensor place =
        at::tensor({token(left, top), token(left + width, top + height)}, tokens.options()).unsqueeze(0);
    layouts.push_back(at::cat({tokens.slice(1, 0, -2), place.expand({tokens.size(0), 2})}, 1));
  }
  const auto embedded = learnedConditioning(at::cat(layouts)).chunk(patches.count());
  std::vector<Conditioning> out(embedded.size(), cond);
  for (size_t i = 0; i < embedded.size(); ++i) out[i].crossattn.front() = embedded[i];
  return out;
}

}  // namespace ldm
