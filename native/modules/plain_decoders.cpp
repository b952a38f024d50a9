// After ldm/modules/diffusionmodules/model.py.
#include "plain_decoders.h"

#include <ATen/ATen.h>

#include "../core/registry.h"

namespace ldm {

using autoencoder::ResnetBlock;
using autoencoder::ResnetBlockOptions;

namespace {
std::shared_ptr<Conv> lastConv(int64_t in, int64_t out) {
  return std::make_shared<Conv>(in, out, 3, ConvOptions{.stride = 1, .padding = 1});
}
}  // namespace

SimpleDecoder::SimpleDecoder(const Value& params) {
  const int64_t width = params.integer("in_channels");
  model_ = std::make_shared<ModuleList<Layer>>();
  model_->append(std::make_shared<Conv>(width, width, 1));
  for (const auto& [in, out] : {std::pair{1, 2}, {2, 4}, {4, 2}})
    model_->append(
        std::make_shared<ResnetBlock>(ResnetBlockOptions{.in = in * width, .out = out * width, .dropout = 0}));
  model_->append(std::make_shared<Conv>(2 * width, width, 1));
  model_->append(std::make_shared<autoencoder::Upsample>(width, /*withConv=*/true));
  child("model", model_);
  normOut_ = child("norm_out", autoencoder::normalize(width));
  convOut_ = child("conv_out", lastConv(width, params.integer("out_channels")));
}

at::Tensor SimpleDecoder::forward(const at::Tensor& x) {
  at::Tensor h = x;
  for (const auto& layer : *model_) h = layer->forward(h);
  return convOut_->forward(autoencoder::swish(normOut_->forward(h)));
}

UpsampleDecoder::UpsampleDecoder(const Value& params) {
  const int64_t ch = params.integer("ch"), blocks = params.integer("num_res_blocks") + 1;
  const auto mult = params.ints("ch_mult");
  resBlocks_ = std::make_shared<ModuleList<ModuleList<ResnetBlock>>>();
  upsampleBlocks_ = std::make_shared<ModuleList<autoencoder::Upsample>>();
  child("res_blocks", resBlocks_);
  child("upsample_blocks", upsampleBlocks_);
  int64_t width = params.integer("in_channels");
  for (size_t level = 0; level < mult.size(); ++level) {
    auto list = std::make_shared<ModuleList<ResnetBlock>>();
    for (int64_t i = 0; i < blocks; ++i) {
      const int64_t out = ch * mult[level];
      list->append(std::make_shared<ResnetBlock>(
          ResnetBlockOptions{.in = width, .out = out, .dropout = params.number("dropout")}));
      width = out;
    }
    resBlocks_->append(list);
    if (level + 1 != mult.size())
      upsampleBlocks_->append(std::make_shared<autoencoder::Upsample>(width, /*withConv=*/true));
  }
  normOut_ = child("norm_out", autoencoder::normalize(width));
  convOut_ = child("conv_out", lastConv(width, params.integer("out_channels")));
}

at::Tensor UpsampleDecoder::forward(const at::Tensor& x) {
  at::Tensor h = x;
  for (size_t level = 0; level < resBlocks_->size(); ++level) {
    for (const auto& block : (*resBlocks_)[level]) h = block->forward(h);
    if (level < upsampleBlocks_->size()) h = (*upsampleBlocks_)[level].forward(h);
  }
  return convOut_->forward(autoencoder::swish(normOut_->forward(h)));
}

REGISTER("ldm.modules.diffusionmodules.model.SimpleDecoder", SimpleDecoder);
REGISTER("ldm.modules.diffusionmodules.model.UpsampleDecoder", UpsampleDecoder);

}  // namespace ldm
