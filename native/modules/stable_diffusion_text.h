// The text conditions of Stable Diffusion: ldm.modules.encoders.modules.FrozenCLIPEmbedder (versions 1.x) and
// FrozenOpenCLIPEmbedder (versions 2.x).
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>

#include "clip.h"
#include "clip_text_model.h"
#include "cond_stage.h"

namespace ldm {

/// The states of CLIP's text model in transformers' layout, under `transformer`.
class FrozenCLIPEmbedder : public CondStage {
 public:
  explicit FrozenCLIPEmbedder(const Value& params);
  /// @param input token ids, int64 [n, tokens]
  /// @return [n, tokens, hidden_size]; [n, 1, hidden_size] with layer "pooled"
  at::Tensor encode(const Value& input) override;

 private:
  enum class Which { Last, Pooled, Hidden };
  Which which_;
  int64_t layerIdx_ = 0;
  std::shared_ptr<ClipTextModel> transformer_;
};

/// The states of open_clip's text model, under `model`, which keeps what only CLIP's own training needs
/// (text_projection, logit_scale).
class FrozenOpenCLIPEmbedder : public CondStage {
 public:
  explicit FrozenOpenCLIPEmbedder(const Value& params);
  /// @param input token ids, int64 [n, context_length]
  /// @return [n, context_length, width], after the final norm; with layer "penultimate" the last layer is left out
  at::Tensor encode(const Value& input) override;

 private:
  /// open_clip.CLIP without its image side.
  struct Model : Module {
    explicit Model(const Value& arch);
    at::Tensor positionalEmbedding;
    std::shared_ptr<ClipTransformer> transformer;
    std::shared_ptr<Embedding> tokenEmbedding;
    std::shared_ptr<LayerNorm> lnFinal;
  };
  int64_t skip_;
  std::shared_ptr<Model> model_;
};

}  // namespace ldm
