// Attention, after ldm/modules/x_transformer.py. One departure: attention without options runs on the fused kernel
// (kernels/attention.h) in place of two einsums.
#include "x_attention.h"

#include <ATen/ATen.h>

#include <cmath>

#include "../core/random.h"
#include "../kernels/attention.h"

namespace ldm {

XAttentionOptions XAttentionOptions::from(const Value& params) {
  XAttentionOptions out{.heads = params.integer("heads"),
                        .dimHead = params.integer("attn_dim_head"),
                        .talkingHeads = params.boolean("attn_talking_heads"),
                        .numMemKv = params.integer("attn_num_mem_kv"),
                        .dropout = params.number("attn_dropout"),
                        .onAttn = params.boolean("attn_on_attn")};
  if (params.has("attn_sparse_topk")) out.sparseTopk = params.integer("attn_sparse_topk");
  return out;
}

XAttention::XAttention(int64_t dim, const XAttentionOptions& options)
    : options_(options), scale_(std::pow(static_cast<double>(options.dimHead), -0.5)) {
  const int64_t heads = options.heads;
  const int64_t inner = options.dimHead * heads;
  toQ_ = child("to_q", std::make_shared<Linear>(dim, inner, false));
  toK_ = child("to_k", std::make_shared<Linear>(dim, inner, false));
  toV_ = child("to_v", std::make_shared<Linear>(dim, inner, false));
  if (options.talkingHeads) {
    preSoftmaxProj_ = parameter("pre_softmax_proj", randn({heads, heads}, at::TensorOptions(at::kFloat)));
    postSoftmaxProj_ = parameter("post_softmax_proj", randn({heads, heads}, at::TensorOptions(at::kFloat)));
  }
  if (options.numMemKv > 0) {
    memK_ = parameter("mem_k", randn({heads, options.numMemKv, options.dimHead}, at::TensorOptions(at::kFloat)));
    memV_ = parameter("mem_v", randn({heads, options.numMemKv, options.dimHead}, at::TensorOptions(at::kFloat)));
  }
  if (options.onAttn)
    toOut_ = std::shared_ptr<Sequential>(
        new Sequential{std::make_shared<Linear>(inner, dim * 2),
                       std::make_shared<Activation>([](const at::Tensor& x) { return at::glu(x, -1); })});
  else
    toOut_ = std::make_shared<Linear>(inner, dim);
  child("to_out", toOut_);
}

bool XAttention::isPlain(const XAttentionInputs& inputs) const {
  const bool options = options_.causal || options_.talkingHeads || options_.sparseTopk.has_value() ||
                       (training() && options_.dropout > 0);
  const bool masks = inputs.mask.defined() || inputs.contextMask.defined();
  return !options && !masks && !inputs.previousScores.defined() && !inputs.keepScores && !inputs.keepWeights;
}

at::Tensor XAttention::visible(const at::Tensor& x, const XAttentionInputs& inputs, int64_t keys) const {
  if (!inputs.mask.defined() && !inputs.contextMask.defined()) return {};
  const auto all = [&](int64_t n) { return at::ones({x.size(0), n}, x.options().dtype(at::kBool)); };
  const at::Tensor queryMask = inputs.mask.defined() ? inputs.mask.to(at::kBool) : all(x.size(1));
  at::Tensor keyMask = inputs.context.defined() ? inputs.contextMask : queryMask;
  keyMask = keyMask.defined() ? keyMask.to(at::kBool) : all(keys);
  if (keyMask.size(1) != keys)
    invalid("The mask has " + std::to_string(keyMask.size(1)) + " tokens, but there are " + std::to_string(keys) +
            " to attend to");
  return queryMask.unsqueeze(1).unsqueeze(3).logical_and(keyMask.unsqueeze(1).unsqueeze(2));
}

/// As in the reference, what is hidden gets the smallest finite score: a row that sees nothing attends to all equally.
void XAttention::hide(at::Tensor& scores, const at::Tensor& visible) const {
  const double smallest = -largestFinite(scores.scalar_type());
  const int64_t n = scores.size(-2);
  const int64_t m = scores.size(-1);
  if (visible.defined()) scores = scores.masked_fill(visible.logical_not(), smallest);
  if (options_.causal) {
    const at::Tensor later = at::ones({n, m}, scores.options().dtype(at::kBool)).triu(m - n + 1);
    scores = scores.masked_fill(later, smallest);
  }
  if (options_.sparseTopk && *options_.sparseTopk < m) {
    const at::Tensor threshold = std::get<0>(scores.topk(*options_.sparseTopk, -1)).slice(-1, -1);
    scores = scores.masked_fill(scores < threshold, smallest);
  }
}

XAttentionResult XAttention::forward(const at::Tensor& x, const XAttentionInputs& inputs) {
  at::Tensor source = inputs.context.defined() ? inputs.context : x;
  if (inputs.memory.defined()) source = at::cat({inputs.memory, source}, -2);
  at::Tensor queries = x;
  at::Tensor keys = source;
  if (inputs.positions) {
    queries = queries + inputs.positions->forward(queries, source.size(1) - x.size(1));
    keys = keys + inputs.positions->forward(keys, 0);
  }
  const auto split = [this](const at::Tensor& t) { return t.unflatten(-1, {options_.heads, -1}).transpose(1, 2); };
  const at::Tensor q = split(toQ_->forward(queries));
  at::Tensor k = split(toK_->forward(keys));
  at::Tensor v = split(toV_->forward(source));
  at::Tensor seen = visible(x, inputs, k.size(2));
  if (memK_.defined()) {
    const auto before = [&](const at::Tensor& memory, const at::Tensor& t) {
      return at::cat({memory.unsqueeze(0).expand({t.size(0), -1, -1, -1}), t}, 2);
    };
    k = before(memK_, k);
    v = before(memV_, v);
    if (seen.defined()) seen = at::constant_pad_nd(seen, {options_.numMemKv, 0}, true);
  }

  XAttentionResult result;
  at::Tensor heads;
  if (isPlain(inputs)) {
    heads = ldm::attention(q, k, v, scale_);
  } else {
    at::Tensor scores = at::matmul(q, k.transpose(-1, -2)) * scale_;
    if (inputs.previousScores.defined()) scores = scores + inputs.previousScores;
    if (inputs.keepScores) result.scores = scores;
    if (options_.talkingHeads) scores = at::einsum("bhij,hk->bkij", {scores, preSoftmaxProj_});
    hide(scores, seen);
    at::Tensor weights = scores.softmax(-1);
    if (inputs.keepWeights) result.weights = weights;
    weights = ldm::dropout(weights, options_.dropout, training());
    if (options_.talkingHeads) weights = at::einsum("bhij,hk->bkij", {weights, postSoftmaxProj_});
    heads = at::matmul(weights, v);
  }
  result.out = toOut_->forward(heads.transpose(1, 2).flatten(2));
  return result;
}

Rezero::Rezero(std::shared_ptr<AttentionBranch> fn) {
  g_ = parameter("g", at::zeros({1}));
  fn_ = child("fn", std::move(fn));
}

XAttentionResult Rezero::forward(const at::Tensor& x, const XAttentionInputs& inputs) {
  XAttentionResult result = fn_->forward(x, inputs);
  result.out = result.out * g_;
  return result;
}

}  // namespace ldm
