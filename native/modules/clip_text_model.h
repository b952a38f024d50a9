// The text tower of CLIP in the layout of the transformers library: CLIPTextModel (Radford et al. 2021,
// https://arxiv.org/abs/2103.00020), as Stable Diffusion 1 stores it.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "clip_parts.h"
#include "layers.h"

namespace ldm {

/// Sizes of a model; the names are those of CLIPTextConfig (in camelCase).
struct ClipTextOptions {
  int64_t vocabSize, hiddenSize, intermediateSize, numHiddenLayers, numAttentionHeads, maxPositionEmbeddings;
  ClipActivation hiddenAct;
  double layerNormEps;

  /// From a map of all of them.
  static ClipTextOptions from(const Value& config);
};

/// What a CLIP text model makes of tokens.
struct ClipTextOutput {
  at::Tensor lastHiddenState;            ///< [n, tokens, hidden_size], after the final norm
  at::Tensor pooled;                     ///< [n, hidden_size], the state at each text's end
  std::vector<at::Tensor> hiddenStates;  ///< the embeddings, and what each layer puts out
};

/// One child: text_model.
///
/// The buffer text_model.embeddings.position_ids (0, 1, 2, ...) is in files that versions of transformers before 4.31
/// wrote, and so in all official ones. It is loaded and saved, but never looked at: positions are counted.
class ClipTextModel : public Module {
 public:
  explicit ClipTextModel(const ClipTextOptions& options);

  /// @param tokens int64 [n, up to max_position_embeddings]
  ClipTextOutput forward(const at::Tensor& tokens, bool keepHiddenStates = false);
  int64_t layers() const { return options_.numHiddenLayers; }

 private:
  struct Attention : Module {
    explicit Attention(int64_t width);
    std::shared_ptr<Linear> k, v, q, out;
  };
  struct Mlp : Module {
    Mlp(int64_t width, int64_t inner);
    std::shared_ptr<Linear> fc1, fc2;
  };
  struct Block : Module {
    explicit Block(const ClipTextOptions& options);
    std::shared_ptr<Attention> attention;
    std::shared_ptr<LayerNorm> norm1, norm2;
    std::shared_ptr<Mlp> mlp;
  };
  struct Embeddings : Module {
    explicit Embeddings(const ClipTextOptions& options);
    std::shared_ptr<Embedding> token, position;
  };
  struct Encoder : Module {
    explicit Encoder(const ClipTextOptions& options);
    std::shared_ptr<ModuleList<Block>> layers;
  };
  struct TextModel : Module {
    explicit TextModel(const ClipTextOptions& options);
    std::shared_ptr<Embeddings> embeddings;
    std::shared_ptr<Encoder> encoder;
    std::shared_ptr<LayerNorm> finalLayerNorm;
  };
  void initialize();

  ClipTextOptions options_;
  std::shared_ptr<TextModel> text_;
};

}  // namespace ldm
