#include "spatial_transformer.h"

#include <ATen/ATen.h>

#include "../core/registry.h"

namespace ldm {

SpatialTransformer::SpatialTransformer(int64_t inChannels, int64_t depth, const TransformerOptions& options) {
  const int64_t inner = options.heads * options.dimHead;
  norm_ = child("norm", std::make_shared<GroupNorm>(32, inChannels, 1e-6));
  projIn_ = child("proj_in", std::make_shared<Conv>(inChannels, inner, 1));
  blocks_ = child("transformer_blocks", std::make_shared<ModuleList<BasicTransformerBlock>>());
  for (int64_t i = 0; i < depth; ++i) blocks_->append(std::make_shared<BasicTransformerBlock>(inner, options));
  projOut_ = child("proj_out", std::make_shared<Conv>(inner, inChannels, 1)->zeroed());
  method("forward", [this](const Value& args) -> Value {
    return Map{{"y", forward(args.tensor("x"), args.optTensor("context"))}};
  });
}

SpatialTransformer::SpatialTransformer(const Value& params)
    : SpatialTransformer(params.integer("in_channels"), params.integer("depth"),
                         TransformerOptions{.heads = params.integer("n_heads"),
                                            .dimHead = params.integer("d_head"),
                                            .dropout = params.number("dropout"),
                                            .contextDim = params.has("context_dim")
                                                              ? std::optional<int64_t>(params.integer("context_dim"))
                                                              : std::nullopt,
                                            .gatedFeedForward = true,
                                            .checkpoint = params.boolean("checkpoint")}) {}

at::Tensor SpatialTransformer::forward(const at::Tensor& x, const at::Tensor& context) {
  if (x.dim() != 4)
    invalid("SpatialTransformer needs images of shape [n, c, h, w], but received " + Value(x).describe());
  at::Tensor h = projIn_->forward(norm_->forward(x)).flatten(2).transpose(1, 2).contiguous();
  for (const auto& block : *blocks_) h = block->forward(h, context);
  h = h.transpose(1, 2).unflatten(2, {x.size(2), x.size(3)}).contiguous();
  return projOut_->forward(h) + x;
}

REGISTER("ldm.modules.attention.SpatialTransformer", SpatialTransformer);

}  // namespace ldm
