// The layers of the x-transformers encoder: ldm.modules.x_transformer.AttentionLayers and Encoder.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "attention.h"
#include "x_attention.h"

namespace ldm {

/// Options of a stack of layers; the names are the reference's.
struct AttentionLayersOptions {
  int64_t dim;
  std::string layerTypes{};  ///< 'a' self-attention, 'c' cross-attention, 'f' feed-forward, in order
  XAttentionOptions attention{};
  FeedForwardOptions feedForward{};
  bool useScaleNorm = false;
  bool useRmsNorm = false;
  bool useRezero = false;            ///< no norms; attention begins switched off
  bool positionInfusedAttn = false;  ///< fixed positions on queries and keys in each layer
  bool residualAttn = false;         ///< scores are handed on from one self-attention to the next
  bool crossResidualAttn = false;
  bool macaron = false;  ///< feed-forwards count half
  bool preNorm = true;
  bool gateResidual = false;

  static AttentionLayersOptions from(const Value& params);
  /// Self-attention and feed-forward in turn, everything else as the reference defaults it.
  static AttentionLayersOptions plain(int64_t dim, int64_t depth);
};

struct AttentionLayersInputs {
  at::Tensor context{}, mask{}, contextMask{};  ///< as in XAttentionInputs
  std::vector<at::Tensor> memories{};           ///< for each self-attention, or none
  bool keepWeights = false;
};

struct AttentionLayersResult {
  at::Tensor x;                     ///< [b, n, dim]
  std::vector<at::Tensor> hiddens;  ///< what went into each self-attention
  std::vector<at::Tensor> weights;  ///< of each attention, with keepWeights
};

/// A stack of attention and feed-forward layers, each with a norm and a residual connection.
class AttentionLayers : public Module {
 public:
  explicit AttentionLayers(const AttentionLayersOptions& options);
  /// Options besides those of AttentionLayersOptions: depth, cross_attend, only_cross, custom_layers, sandwich_coef,
  /// par_ratio, which say what the layers are; causal.
  explicit AttentionLayers(const Value& params);

  AttentionLayersResult forward(at::Tensor x, const AttentionLayersInputs& inputs);
  int64_t dim() const { return options_.dim; }
  bool hasPositions() const { return options_.positionInfusedAttn; }

 private:
  /// nn.ModuleList of norm, block, residual.
  struct Item : Module {
    std::shared_ptr<Layer> norm;
    std::shared_ptr<AttentionBranch> attention;  ///< one of these two
    std::shared_ptr<Layer> feedForward;
    std::shared_ptr<Residual> residual;
    explicit Item(const AttentionLayersOptions& options, char type);
  };

  AttentionLayersOptions options_;
  std::shared_ptr<ModuleList<Item>> layers_;
  std::shared_ptr<FixedPositionalEmbedding> positions_;
};

/// AttentionLayers without a causal mask.
class XEncoder : public AttentionLayers {
 public:
  explicit XEncoder(const Value& params);
};

}  // namespace ldm
