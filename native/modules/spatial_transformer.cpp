#include "spatial_transformer.h"

#include <ATen/ATen.h>

#include "../core/registry.h"

namespace ldm {

namespace {

std::shared_ptr<Layer> projection(int64_t in, int64_t out, bool linear, bool zero) {
  if (linear) {
    auto map = std::make_shared<Linear>(in, out);
    return zero ? map->zeroed() : map;
  }
  auto conv = std::make_shared<Conv>(in, out, 1);
  return zero ? conv->zeroed() : conv;
}

SpatialTransformerOptions optionsFrom(const Value& params) {
  SpatialTransformerOptions options{.block = {.heads = params.integer("n_heads"),
                                              .dimHead = params.integer("d_head"),
                                              .dropout = params.number("dropout"),
                                              .contextDim = {},
                                              .gatedFeedForward = true,
                                              .checkpoint = params.boolean("use_checkpoint"),
                                              .disableSelfAttention = params.boolean("disable_self_attn")},
                                    .depth = params.integer("depth"),
                                    .useLinear = params.boolean("use_linear")};
  if (params.has("context_dim")) options.block.contextDim = params.integer("context_dim");
  return options;
}

}  // namespace

SpatialTransformer::SpatialTransformer(int64_t inChannels, const SpatialTransformerOptions& options)
    : useLinear_(options.useLinear) {
  const int64_t inner = options.block.heads * options.block.dimHead;
  const auto& dims = options.contextDims;
  if (!dims.empty() && static_cast<int64_t>(dims.size()) < options.depth)
    invalid("'context_dim' names " + std::to_string(dims.size()) + " widths, but there are " +
            std::to_string(options.depth) + " transformer blocks (transformer_depth)");
  if (useLinear_ && inner != inChannels)
    invalid("A transformer with linear maps needs heads that fill its " + std::to_string(inChannels) +
            " channels, but they are " + std::to_string(inner) + " wide: check num_head_channels");
  norm_ = child("norm", std::make_shared<GroupNorm>(32, inChannels, 1e-6));
  projIn_ = child("proj_in", projection(inChannels, inner, useLinear_, /*zero=*/false));
  blocks_ = child("transformer_blocks", std::make_shared<ModuleList<BasicTransformerBlock>>());
  for (int64_t i = 0; i < options.depth; ++i) {
    TransformerOptions block = options.block;
    if (!dims.empty()) block.contextDim = dims[static_cast<size_t>(i)];
    blocks_->append(std::make_shared<BasicTransformerBlock>(inner, block));
  }
  projOut_ = child("proj_out", projection(inner, inChannels, useLinear_, /*zero=*/true));
  method("forward", [this](const Value& args) -> Value {
    return Map{{"y", forward(args.tensor("x"), args.optTensor("context"))}};
  });
}

SpatialTransformer::SpatialTransformer(const Value& params)
    : SpatialTransformer(params.integer("in_channels"), optionsFrom(params)) {}

at::Tensor SpatialTransformer::forward(const at::Tensor& x, const at::Tensor& context) {
  if (x.dim() != 4)
    invalid("SpatialTransformer needs images of shape [n, c, h, w], but received " + Value(x).describe());
  const auto sequence = [](const at::Tensor& image) { return image.flatten(2).transpose(1, 2).contiguous(); };
  const auto image = [&x](const at::Tensor& h) {
    return h.transpose(1, 2).unflatten(2, {x.size(2), x.size(3)}).contiguous(x.suggest_memory_format());
  };
  at::Tensor h = norm_->forward(x);
  h = useLinear_ ? projIn_->forward(sequence(h)) : sequence(projIn_->forward(h));
  for (const auto& block : *blocks_) h = block->forward(h, context);
  return (useLinear_ ? image(projOut_->forward(h)) : projOut_->forward(image(h))) + x;
}

REGISTER("ldm.modules.attention.SpatialTransformer", SpatialTransformer);

}  // namespace ldm
