// CLIP as a condition: ldm.modules.encoders.modules.FrozenCLIPTextEmbedder and FrozenClipImageEmbedder.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "clip.h"
#include "cond_stage.h"

namespace ldm {

/// A text's CLIP embedding, as one or several context tokens.
///
/// Methods besides encode: `forward` {x: tokens} -> {y: [n, embed_dim]}.
class FrozenCLIPTextEmbedder : public CondStage {
 public:
  explicit FrozenCLIPTextEmbedder(const Value& params);

  /// @param tokens int64 [n, context_length]
  /// @return [n, embed_dim], of length 1 with `normalize`
  at::Tensor forward(const at::Tensor& tokens);
  /// @param input tokens as above
  /// @return [n, n_repeat, embed_dim], the same embedding n_repeat times
  at::Tensor encode(const Value& input) override;

 private:
  int64_t repeat_;
  bool normalize_;
  std::shared_ptr<Clip> model_;
};

/// An image's CLIP embedding.
class FrozenClipImageEmbedder : public CondStage {
 public:
  explicit FrozenClipImageEmbedder(const Value& params);

  /// @param image [n, 3, h, w] in [-1, 1]
  /// @return [n, 3, image_resolution, image_resolution], normalised for CLIP
  at::Tensor preprocess(const at::Tensor& image) const;
  /// @param input an image as above
  /// @return [n, embed_dim]
  at::Tensor encode(const Value& input) override;

 private:
  int64_t resolution_;
  bool antialias_;
  at::Tensor mean_, std_;
  std::shared_ptr<Clip> model_;
};

}  // namespace ldm
