#include "transformer_wrapper.h"

#include <ATen/ATen.h>

#include "../core/random.h"
#include "../core/registry.h"

namespace ldm {

namespace {

TransformerWrapperOptions optionsFrom(const Value& params) {
  TransformerWrapperOptions out{.numTokens = params.integer("num_tokens"),
                                .maxSeqLen = params.integer("max_seq_len"),
                                .maxMemLen = params.integer("max_mem_len"),
                                .embDropout = params.number("emb_dropout"),
                                .tieEmbedding = params.boolean("tie_embedding"),
                                .usePosEmb = params.boolean("use_pos_emb")};
  if (params.has("emb_dim")) out.embDim = params.integer("emb_dim");
  if (params.has("num_memory_tokens")) out.numMemoryTokens = params.integer("num_memory_tokens");
  return out;
}

}  // namespace

TransformerWrapper::TransformerWrapper(const TransformerWrapperOptions& options,
                                       std::shared_ptr<AttentionLayers> layers)
    : options_(options) {
  const int64_t dim = layers->dim();
  const int64_t embDim = options.embDim.value_or(dim);
  tokenEmb_ = child("token_emb", std::make_shared<Embedding>(options.numTokens, embDim));
  if (options.usePosEmb && !layers->hasPositions())
    posEmb_ = child("pos_emb", std::make_shared<AbsolutePositionalEmbedding>(embDim, options.maxSeqLen));
  if (embDim != dim)
    projectEmb_ = std::make_shared<Linear>(embDim, dim);
  else
    projectEmb_ = std::make_shared<Identity>();
  child("project_emb", projectEmb_);
  layers_ = child("attn_layers", std::move(layers));
  norm_ = child("norm", std::make_shared<LayerNorm>(dim));
  initNormal(tokenEmb_->weight, 0, 0.02);
  if (!options.tieEmbedding) toLogits_ = child("to_logits", std::make_shared<Linear>(dim, options.numTokens));
  if (options.numMemoryTokens > 0)
    memoryTokens_ = parameter("memory_tokens", randn({options.numMemoryTokens, dim}, at::TensorOptions(at::kFloat)));
  method("forward", [this](const Value& args) { return forward(args); });
}

TransformerWrapper::TransformerWrapper(const Value& params)
    : TransformerWrapper(optionsFrom(params), createFromConfig<AttentionLayers>(params.get("attn_layers"))) {}

AttentionLayersResult TransformerWrapper::run(const at::Tensor& tokens, AttentionLayersInputs inputs) {
  if (tokens.dim() != 2 || tokens.is_floating_point())
    invalid("Expected token ids, integers of shape [batch, tokens], but received " + Value(tokens).describe());
  at::Tensor x = tokenEmb_->forward(tokens);
  if (posEmb_) x = x + posEmb_->forward(x);
  x = projectEmb_->forward(ldm::dropout(x, options_.embDropout, training()));
  const int64_t before = options_.numMemoryTokens;
  if (before > 0) {
    x = at::cat({memoryTokens_.unsqueeze(0).expand({x.size(0), -1, -1}), x}, 1);
    if (inputs.mask.defined()) inputs.mask = at::constant_pad_nd(inputs.mask.to(at::kBool), {before, 0}, true);
  }
  AttentionLayersResult result = layers_->forward(x, inputs);
  result.x = norm_->forward(result.x).slice(1, before);
  return result;
}

at::Tensor TransformerWrapper::logits(const at::Tensor& x) {
  return toLogits_ ? toLogits_->forward(x) : at::matmul(x, tokenEmb_->weight.t());
}

Value TransformerWrapper::forward(const Value& args) {
  const auto memories = args.has("mems") ? args.tensors("mems") : std::vector<at::Tensor>{};
  const bool returnMems = args.boolean("returnMems");
  if (returnMems && options_.maxMemLen == 0) invalid("returnMems needs a model with a max_mem_len of at least 1");
  const AttentionLayersResult result = run(args.tensor("tokens"), {.context = args.optTensor("context"),
                                                                   .mask = args.optTensor("mask"),
                                                                   .contextMask = args.optTensor("contextMask"),
                                                                   .memories = memories,
                                                                   .keepWeights = args.boolean("returnAttn")});
  Map out{{"out", args.boolean("returnEmbeddings") ? result.x : logits(result.x)}};
  if (returnMems) {
    std::vector<at::Tensor> next;
    for (size_t i = 0; i < result.hiddens.size(); i++) {
      const at::Tensor& hidden = result.hiddens[i];
      const at::Tensor all = memories.empty() ? hidden : at::cat({memories[i], hidden}, -2);
      next.push_back(all.slice(-2, std::max<int64_t>(0, all.size(-2) - options_.maxMemLen)).detach());
    }
    out.set("mems", Value::fromTensors(next));
  }
  if (args.boolean("returnAttn")) out.set("attn", Value::fromTensors(result.weights));
  return out;
}

REGISTER("ldm.modules.x_transformer.TransformerWrapper", TransformerWrapper);

}  // namespace ldm
