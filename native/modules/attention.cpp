// Transformer parts, after ldm/modules/attention.py. One departure: the reference computes the attention weights with
// two einsums; here the fused kernel does (kernels/attention.h).
#include "attention.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "../core/autograd.h"
#include "../core/registry.h"
#include "../kernels/attention.h"
#include "../kernels/policy.h"

namespace ldm {

namespace {

std::optional<int64_t> optionalInteger(const Value& params, const std::string& key) {
  return params.has(key) ? std::optional<int64_t>(params.integer(key)) : std::nullopt;
}

}  // namespace

GEGLU::GEGLU(int64_t dimIn, int64_t dimOut) { proj_ = child("proj", std::make_shared<Linear>(dimIn, dimOut * 2)); }

at::Tensor GEGLU::forward(const at::Tensor& x) {
  const auto halves = proj_->forward(x).chunk(2, -1);
  return halves[0] * at::gelu(halves[1]);
}

FeedForward::FeedForward(int64_t dim, const FeedForwardOptions& options)
    : inner_(static_cast<int64_t>(static_cast<double>(dim) * options.mult)) {
  const int64_t inner = inner_;
  std::shared_ptr<Layer> projectIn;
  if (options.glu)
    projectIn = std::make_shared<GEGLU>(dim, inner);
  else
    projectIn = std::shared_ptr<Sequential>(new Sequential{std::make_shared<Linear>(dim, inner), Activation::gelu()});
  net_ = std::make_shared<Sequential>();
  net_->append(projectIn);
  net_->append(std::make_shared<Dropout>(options.dropout));
  net_->append(std::make_shared<Linear>(inner, options.dimOut.value_or(dim)));
  child("net", net_);
}

FeedForward::FeedForward(const Value& params)
    : FeedForward(params.integer("dim"), FeedForwardOptions{.dimOut = optionalInteger(params, "dim_out"),
                                                            .mult = params.number("mult"),
                                                            .glu = params.boolean("glu"),
                                                            .dropout = params.number("dropout")}) {}

at::Tensor FeedForward::forward(const at::Tensor& x) {
  constexpr int64_t kHeldNumbers = int64_t{1} << 17, kFewestRows = 128;
  const int64_t rows = x.numel() / x.size(-1), part = std::max(kFewestRows, kHeldNumbers / inner_);
  if (training() || rows <= part || needGradients({x, parameters().front()}) || !FastScope({x}))
    return net_->forward(x);
  const at::Tensor tokens = x.reshape({rows, -1});
  at::Tensor out;
  for (int64_t first = 0; first < rows; first += part) {
    const int64_t count = std::min(part, rows - first);
    const at::Tensor y = net_->forward(tokens.narrow(0, first, count));
    if (!out.defined()) out = at::empty({rows, y.size(1)}, y.options());
    out.narrow(0, first, count).copy_(y);
  }
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = out.size(1);
  return out.view(shape);
}

CrossAttention::CrossAttention(int64_t queryDim, const AttentionOptions& options)
    : heads_(options.heads),
      contextDim_(options.contextDim.value_or(queryDim)),
      scale_(std::pow(static_cast<double>(options.dimHead), -0.5)) {
  const int64_t inner = options.heads * options.dimHead;
  toQ_ = child("to_q", std::make_shared<Linear>(queryDim, inner, false));
  toK_ = child("to_k", std::make_shared<Linear>(contextDim_, inner, false));
  toV_ = child("to_v", std::make_shared<Linear>(contextDim_, inner, false));
  toOut_ = std::make_shared<Sequential>();
  toOut_->append(std::make_shared<Linear>(inner, queryDim));
  toOut_->append(std::make_shared<Dropout>(options.dropout));
  child("to_out", toOut_);
  method("forward", [this](const Value& args) -> Value {
    return Map{{"y", forward(args.tensor("x"), args.optTensor("context"), args.optTensor("mask"))}};
  });
}

CrossAttention::CrossAttention(const Value& params)
    : CrossAttention(params.integer("query_dim"), AttentionOptions{.contextDim = optionalInteger(params, "context_dim"),
                                                                   .heads = params.integer("heads"),
                                                                   .dimHead = params.integer("dim_head"),
                                                                   .dropout = params.number("dropout")}) {}

at::Tensor CrossAttention::forward(const at::Tensor& x, const at::Tensor& context, const at::Tensor& mask) {
  const at::Tensor& source = context.defined() ? context : x;
  if (source.dim() != 3 || source.size(-1) != contextDim_)
    invalid("Cross-attention needs a context of shape [batch, tokens, " + std::to_string(contextDim_) + "], but " +
            (context.defined() ? "received " + Value(context).describe() : std::string("no context was given")));
  if (source.size(1) == 1 && !mask.defined() && FastScope({x, source, toV_->weight})) {
    // whatever a query scores, a single token (a class) has all the weight
    return toOut_->forward(toV_->forward(source)).expand({x.size(0), x.size(1), -1});
  }
  const auto split = [this](const at::Tensor& t) { return t.unflatten(-1, {heads_, -1}).transpose(1, 2); };
  const at::Tensor keyMask = mask.defined() ? mask.flatten(1).to(at::kBool) : at::Tensor();
  const at::Tensor out =
      attention(split(toQ_->forward(x)), split(toK_->forward(source)), split(toV_->forward(source)), scale_, keyMask);
  return toOut_->forward(out.transpose(1, 2).flatten(2));
}

BasicTransformerBlock::BasicTransformerBlock(int64_t dim, const TransformerOptions& options)
    : checkpoint_(options.checkpoint), selfAttention_(!options.disableSelfAttention) {
  AttentionOptions self{
      .contextDim = {}, .heads = options.heads, .dimHead = options.dimHead, .dropout = options.dropout};
  AttentionOptions cross = self;
  cross.contextDim = options.contextDim;
  attn1_ = child("attn1", std::make_shared<CrossAttention>(dim, selfAttention_ ? self : cross));
  ff_ =
      child("ff", std::make_shared<FeedForward>(
                      dim, FeedForwardOptions{
                               .dimOut = {}, .mult = 4, .glu = options.gatedFeedForward, .dropout = options.dropout}));
  attn2_ = child("attn2", std::make_shared<CrossAttention>(dim, cross));
  norm1_ = child("norm1", std::make_shared<LayerNorm>(dim));
  norm2_ = child("norm2", std::make_shared<LayerNorm>(dim));
  norm3_ = child("norm3", std::make_shared<LayerNorm>(dim));
  method("forward", [this](const Value& args) -> Value {
    return Map{{"y", forward(args.tensor("x"), args.optTensor("context"))}};
  });
}

BasicTransformerBlock::BasicTransformerBlock(const Value& params)
    : BasicTransformerBlock(params.integer("dim"),
                            TransformerOptions{.heads = params.integer("n_heads"),
                                               .dimHead = params.integer("d_head"),
                                               .dropout = params.number("dropout"),
                                               .contextDim = optionalInteger(params, "context_dim"),
                                               .gatedFeedForward = params.boolean("gated_ff"),
                                               .checkpoint = params.boolean("checkpoint"),
                                               .disableSelfAttention = params.boolean("disable_self_attn")}) {}

at::Tensor BasicTransformerBlock::forward(const at::Tensor& x, const at::Tensor& context) {
  if (!checkpoint_ || !at::GradMode::is_enabled()) return compute(x, context);
  // The graph keeps this block alive: its backward pass computes the block again.
  return ldm::checkpoint([this, self = shared_from_this()](
                             const std::vector<at::Tensor>& inputs) { return compute(inputs[0], inputs[1]); },
                         {x, context}, parameters());
}

at::Tensor BasicTransformerBlock::compute(const at::Tensor& x, const at::Tensor& context) {
  poll();
  at::Tensor h = attn1_->forward(norm1_->forward(x), selfAttention_ ? at::Tensor() : context) + x;
  if (at::GradMode::is_enabled()) {
    h = attn2_->forward(norm2_->forward(h), context) + h;
    return ff_->forward(norm3_->forward(h)) + h;
  }
  h += attn2_->forward(norm2_->forward(h), context);
  return h += ff_->forward(norm3_->forward(h));
}

REGISTER("ldm.modules.attention.FeedForward", FeedForward);
REGISTER("ldm.modules.attention.CrossAttention", CrossAttention);
REGISTER("ldm.modules.attention.BasicTransformerBlock", BasicTransformerBlock);

}  // namespace ldm
