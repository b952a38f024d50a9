// CLIP in OpenAI's layout: clip.model.CLIP with a vision transformer (Radford et al. 2021,
// https://arxiv.org/abs/2103.00020).
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "clip_parts.h"
#include "layers.h"

namespace ldm {

/// Sizes of a model; the names are OpenAI's.
struct ClipOptions {
  int64_t embedDim;
  int64_t imageResolution, visionLayers, visionWidth, visionPatchSize;
  int64_t contextLength, vocabSize, transformerWidth, transformerHeads, transformerLayers;

  /// From a map of all of them, or from the name of a published model ("ViT-L/14").
  static ClipOptions from(const Value& version);
};

/// What ClipTransformer is made of.
struct ClipTransformerOptions {
  int64_t width, layers, heads;
  bool causal;  ///< no token sees a later one
  ClipActivation activation = ClipActivation::QuickGelu;
  bool normsFirst = false;  ///< children in open_clip's order (ln_1, attn, ln_2, mlp) instead of OpenAI's
};

/// A stack of pre-norm transformer layers.
class ClipTransformer : public Module {
 public:
  explicit ClipTransformer(const ClipTransformerOptions& options);
  /// @param x [b, n, width]
  /// @param skip the last so many layers are left out
  at::Tensor forward(at::Tensor x, int64_t skip = 0);
  /// OpenAI's initialisation, which follows after all modules were created.
  void initialize();

 private:
  /// nn.MultiheadAttention: in_proj_weight [3 width, width] holds queries, keys and values.
  class Attention : public Module {
   public:
    Attention(int64_t width, int64_t heads, bool causal);
    at::Tensor forward(const at::Tensor& x);

    at::Tensor inProjWeight, inProjBias;
    std::shared_ptr<Linear> outProj;

   private:
    int64_t heads_;
    bool causal_;
  };
  struct Mlp : Module {
    explicit Mlp(int64_t width);
    std::shared_ptr<Linear> fc, proj;
  };
  struct Block : Module {
    explicit Block(const ClipTransformerOptions& options);
    std::shared_ptr<Attention> attn;
    std::shared_ptr<LayerNorm> ln1, ln2;
    std::shared_ptr<Mlp> mlp;
  };

  int64_t width_;
  ClipActivation activation_;
  std::shared_ptr<ModuleList<Block>> blocks_;
};

/// Patches of an image, and a class token whose output is the image's embedding.
class ClipVision : public Module {
 public:
  explicit ClipVision(const ClipOptions& options);
  /// @param image [n, 3, image_resolution, image_resolution]
  /// @return [n, embed_dim]
  at::Tensor forward(const at::Tensor& image);

 private:
  int64_t resolution_;
  at::Tensor classEmbedding_, positionalEmbedding_, proj_;
  std::shared_ptr<Conv> conv1_;
  std::shared_ptr<LayerNorm> lnPre_, lnPost_;
  std::shared_ptr<ClipTransformer> transformer_;
};

/// Texts and images in one space.
///
/// Methods: `encodeText` {tokens} -> {y}, `encodeImage` {image} -> {y}.
class Clip : public Module {
 public:
  explicit Clip(const ClipOptions& options);
  explicit Clip(const Value& params) : Clip(ClipOptions::from(params)) {}

  /// @param tokens int64 [n, context_length]; the largest id of a row marks the text's end, as in OpenAI's vocabulary
  /// @return [n, embed_dim]
  at::Tensor encodeText(const at::Tensor& tokens);
  /// @param image normalised to CLIP's mean and deviation, see ClipVision
  /// @return [n, embed_dim]
  at::Tensor encodeImage(const at::Tensor& image) { return visual_->forward(image); }

 private:
  int64_t contextLength_;
  at::Tensor positionalEmbedding_, textProjection_;
  std::shared_ptr<ClipVision> visual_;
  std::shared_ptr<ClipTransformer> transformer_;
  std::shared_ptr<Embedding> tokenEmbedding_;
  std::shared_ptr<LayerNorm> lnFinal_;
};

}  // namespace ldm
