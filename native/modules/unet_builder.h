// What UNetModel and EncoderUNetModel have in common: their options and the blocks that these describe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "layers.h"
#include "res_block.h"
#include "timestep_sequential.h"

namespace ldm::unet {

/// Options under the reference's names (in camelCase), those of Stable Diffusion 2 included. `use_fp16` and `use_bf16`
/// are accepted and have no effect: Module::to casts a model.
struct UNetOptions {
  explicit UNetOptions(const Value& params);

  int64_t inChannels, modelChannels, outChannels;
  std::vector<int64_t> numResBlocks;          ///< of each level
  std::vector<int64_t> attentionResolutions;  ///< downsampling factors at which attention takes place
  std::vector<int64_t> channelMult;
  double dropout;
  bool convResample;
  int64_t dims;
  bool useCheckpoint;
  int64_t numHeads, numHeadChannels, numHeadsUpsample;  ///< -1: derived from the others
  bool useScaleShiftNorm, resblockUpdown, useNewAttentionOrder;
  bool useSpatialTransformer = false;
  int64_t transformerDepth = 1;
  std::vector<int64_t> contextDims{};  ///< of every transformer block, or one for each
  bool legacy = true;
  std::vector<bool> disableSelfAttentions{};  ///< of each level; empty: none
  std::vector<int64_t> numAttentionBlocks{};  ///< of each level; empty: as many as residual blocks
  bool disableMiddleSelfAttn = false, useLinearInTransformer = false;
};

/// Creates blocks in the reference's order, on which the stream of initial random numbers depends.
class UNetBuilder {
 public:
  explicit UNetBuilder(const UNetOptions& options);

  std::shared_ptr<Sequential> timeEmbedding() const;
  /// The contracting half. Appends to `skipChannels` what each block puts out; `channels` and `downsampling` are left
  /// at the values of the deepest level.
  std::shared_ptr<ModuleList<TimestepEmbedSequential>> inputBlocks();
  std::shared_ptr<TimestepEmbedSequential> middleBlock();
  /// The expanding half; consumes skipChannels.
  std::shared_ptr<ModuleList<TimestepEmbedSequential>> outputBlocks();

  int64_t timeEmbedDim() const { return options_.modelChannels * 4; }

  int64_t channels;
  int64_t downsampling = 1;
  std::vector<int64_t> skipChannels;

 private:
  std::shared_ptr<ResBlock> resBlock(int64_t in, int64_t out, Resampling resampling = Resampling::None) const;
  void appendAttention(TimestepEmbedSequential& block, int64_t attentionHeads, bool disableSelfAttention) const;
  /// Whether attention follows the i-th residual block of a level.
  bool attends(size_t level, int64_t i) const;
  bool withoutSelfAttention(size_t level) const;

  const UNetOptions& options_;
};

}  // namespace ldm::unet
