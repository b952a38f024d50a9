#include "unet_builder.h"

#include <algorithm>
#include <string>

#include "attention_block.h"
#include "spatial_transformer.h"
#include "unet_resample.h"

namespace ldm::unet {

namespace {

/// One number for all levels, or one for each.
std::vector<int64_t> residualBlocks(const Value& params) {
  const Value& blocks = params.get("num_res_blocks");
  const size_t levels = params.ints("channel_mult").size();
  if (!blocks.isList()) return std::vector<int64_t>(levels, blocks.asInteger("num_res_blocks"));
  auto out = blocks.asInts("num_res_blocks");
  if (out.size() != levels)
    invalid("'num_res_blocks' names " + std::to_string(out.size()) + " levels, but 'channel_mult' has " +
            std::to_string(levels));
  return out;
}

}  // namespace

UNetOptions::UNetOptions(const Value& params)
    : inChannels(params.integer("in_channels")),
      modelChannels(params.integer("model_channels")),
      outChannels(params.integer("out_channels")),
      numResBlocks(residualBlocks(params)),
      attentionResolutions(params.ints("attention_resolutions")),
      channelMult(params.ints("channel_mult")),
      dropout(params.number("dropout")),
      convResample(params.boolean("conv_resample")),
      dims(params.integer("dims")),
      useCheckpoint(params.boolean("use_checkpoint")),
      numHeads(params.integer("num_heads")),
      numHeadChannels(params.integer("num_head_channels")),
      numHeadsUpsample(params.integer("num_heads_upsample")),
      useScaleShiftNorm(params.boolean("use_scale_shift_norm")),
      resblockUpdown(params.boolean("resblock_updown")),
      useNewAttentionOrder(params.boolean("use_new_attention_order")) {
  if (dims < 1 || dims > 3) invalid("'dims' of a U-Net must be 1, 2 or 3, but is " + std::to_string(dims));
  if (channelMult.empty()) invalid("'channel_mult' of a U-Net must name at least one level");
  if (numHeads == -1 && numHeadChannels == -1)
    invalid("A U-Net needs 'num_heads' or 'num_head_channels'; neither is given");
  if (numHeadsUpsample == -1) numHeadsUpsample = numHeads;
}

UNetBuilder::UNetBuilder(const UNetOptions& options)
    : channels(options.modelChannels), skipChannels{options.modelChannels}, options_(options) {}

std::shared_ptr<Sequential> UNetBuilder::timeEmbedding() const {
  auto embedding = std::make_shared<Sequential>();
  embedding->append(std::make_shared<Linear>(options_.modelChannels, timeEmbedDim()));
  embedding->append(Activation::silu());
  embedding->append(std::make_shared<Linear>(timeEmbedDim(), timeEmbedDim()));
  return embedding;
}

std::shared_ptr<ResBlock> UNetBuilder::resBlock(int64_t in, int64_t out, Resampling resampling) const {
  const ResBlockOptions options{.dropout = options_.dropout,
                                .dims = options_.dims,
                                .scaleShiftNorm = options_.useScaleShiftNorm,
                                .checkpoint = options_.useCheckpoint};
  return std::make_shared<ResBlock>(in, timeEmbedDim(), out, options, resampling);
}

bool UNetBuilder::attends(size_t level, int64_t i) const {
  const auto& factors = options_.attentionResolutions;
  const auto& blocks = options_.numAttentionBlocks;
  return std::find(factors.begin(), factors.end(), downsampling) != factors.end() &&
         (blocks.empty() || i < blocks[level]);
}

bool UNetBuilder::withoutSelfAttention(size_t level) const {
  return !options_.disableSelfAttentions.empty() && options_.disableSelfAttentions[level];
}

void UNetBuilder::appendAttention(TimestepEmbedSequential& block, int64_t attentionHeads,
                                  bool disableSelfAttention) const {
  const bool byWidth = options_.numHeadChannels != -1;
  const int64_t heads = byWidth ? channels / options_.numHeadChannels : options_.numHeads;
  if (heads < 1)
    invalid("The " + std::to_string(channels) + " channels at downsampling " + std::to_string(downsampling) +
            " of the U-Net are too few for 'num_head_channels' " + std::to_string(options_.numHeadChannels));
  if (options_.useSpatialTransformer) {
    // legacy and not: both end at channels / heads, but for a num_head_channels that does not divide the channels
    const int64_t dimHead = byWidth && !options_.legacy ? options_.numHeadChannels : channels / heads;
    const auto& dims = options_.contextDims;
    const SpatialTransformerOptions transformer{.block = {.heads = heads,
                                                          .dimHead = dimHead,
                                                          .dropout = 0,
                                                          .contextDim = dims.front(),
                                                          .gatedFeedForward = true,
                                                          .checkpoint = options_.useCheckpoint,
                                                          .disableSelfAttention = disableSelfAttention},
                                                .depth = options_.transformerDepth,
                                                .contextDims = dims.size() > 1 ? dims : std::vector<int64_t>{},
                                                .useLinear = options_.useLinearInTransformer};
    block.append(std::make_shared<SpatialTransformer>(channels, transformer));
    return;
  }
  const int64_t dimHead = options_.legacy || byWidth ? options_.numHeadChannels : channels / heads;
  const auto order = options_.useNewAttentionOrder ? QkvOrder::QkvFirst : QkvOrder::HeadsFirst;
  block.append(std::make_shared<AttentionBlock>(channels, attentionHeads, dimHead, options_.useCheckpoint, order));
}

std::shared_ptr<ModuleList<TimestepEmbedSequential>> UNetBuilder::inputBlocks() {
  auto blocks = std::make_shared<ModuleList<TimestepEmbedSequential>>();
  auto first = std::make_shared<TimestepEmbedSequential>();
  first->append(
      std::make_shared<Conv>(options_.inChannels, channels, 3, ConvOptions{.padding = 1, .dims = options_.dims}));
  blocks->append(first);
  const size_t levels = options_.channelMult.size();
  for (size_t level = 0; level < levels; ++level) {
    for (int64_t i = 0; i < options_.numResBlocks[level]; ++i) {
      const int64_t out = options_.channelMult[level] * options_.modelChannels;
      auto block = std::make_shared<TimestepEmbedSequential>();
      block->append(resBlock(channels, out));
      channels = out;
      if (attends(level, i)) appendAttention(*block, options_.numHeads, withoutSelfAttention(level));
      blocks->append(block);
      skipChannels.push_back(channels);
    }
    if (level + 1 == levels) break;
    auto down = std::make_shared<TimestepEmbedSequential>();
    if (options_.resblockUpdown)
      down->append(resBlock(channels, channels, Resampling::Down));
    else
      down->append(std::make_shared<Downsample>(channels, options_.convResample, options_.dims, channels));
    blocks->append(down);
    skipChannels.push_back(channels);
    downsampling *= 2;
  }
  return blocks;
}

std::shared_ptr<TimestepEmbedSequential> UNetBuilder::middleBlock() {
  auto block = std::make_shared<TimestepEmbedSequential>();
  block->append(resBlock(channels, channels));
  appendAttention(*block, options_.numHeads, options_.disableMiddleSelfAttn);
  block->append(resBlock(channels, channels));
  return block;
}

std::shared_ptr<ModuleList<TimestepEmbedSequential>> UNetBuilder::outputBlocks() {
  auto blocks = std::make_shared<ModuleList<TimestepEmbedSequential>>();
  for (size_t level = options_.channelMult.size(); level-- > 0;) {
    for (int64_t i = 0; i <= options_.numResBlocks[level]; ++i) {
      const int64_t out = options_.channelMult[level] * options_.modelChannels;
      auto block = std::make_shared<TimestepEmbedSequential>();
      block->append(resBlock(channels + skipChannels.back(), out));
      skipChannels.pop_back();
      channels = out;
      if (attends(level, i)) appendAttention(*block, options_.numHeadsUpsample, withoutSelfAttention(level));
      if (level > 0 && i == options_.numResBlocks[level]) {
        if (options_.resblockUpdown)
          block->append(resBlock(channels, channels, Resampling::Up));
        else
          block->append(std::make_shared<Upsample>(channels, options_.convResample, options_.dims, channels));
        downsampling /= 2;
      }
      blocks->append(block);
    }
  }
  return blocks;
}

}  // namespace ldm::unet
