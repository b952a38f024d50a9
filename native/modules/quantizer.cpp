#include "quantizer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "../core/random.h"

namespace ldm {

namespace {

Value orNull(const at::Tensor& tensor) { return tensor.defined() ? Value(tensor) : Value(); }

}  // namespace

Value Quantized::toValue() const {
  return Map{{"quant", quant},
             {"loss", loss},
             {"indices", indices},
             {"perplexity", orNull(perplexity)},
             {"encodings", orNull(encodings)},
             {"logits", orNull(logits)}};
}

Quantizer::Quantizer(int64_t codes, int64_t dim) : codes_(codes), dim_(dim), reEmbed_(codes) {
  method("quantize", [this](const Value& args) -> Value { return quantize(args.tensor("z")).toValue(); });
  method("codebookEntry", [this](const Value& args) -> Value {
    return Map{{"quant", codebookEntry(args.tensor("indices"))}};
  });
}

void Quantizer::addRemap(const Value& params) {
  if (!params.has("remap")) return;
  const at::Tensor& used = params.tensor("remap");
  if (used.dim() != 1 || used.numel() == 0 || used.is_floating_point())
    invalid("Expected a vector of code indices for remap but received " + Value(used).describe());
  if (used.min().item<int64_t>() < 0 || used.max().item<int64_t>() >= codes_)
    invalid("Expected code indices from 0 to " + std::to_string(codes_ - 1) + " for remap but found " +
            std::to_string(used.min().item<int64_t>()) + " to " + std::to_string(used.max().item<int64_t>()));
  used_ = buffer("used", used.clone());
  reEmbed_ = used_.size(0);
  const Value& unknown = params.get("unknown_index");
  if (unknown.isInteger()) {
    unknownIndex_ = unknown.asInteger();
  } else if (unknown.asString("unknown_index") == "random") {
    randomUnknown_ = true;
  } else if (unknown.asString() == "extra") {
    unknownIndex_ = reEmbed_++;
  } else {
    invalid("Expected 'random', 'extra' or an integer for unknown_index but received " + unknown.describe());
  }
  method("remapToUsed", [this](const Value& args) -> Value {
    return Map{{"indices", remapToUsed(args.tensor("indices"))}};
  });
  method("unmapToAll", [this](const Value& args) -> Value {
    return Map{{"indices", unmapToAll(args.tensor("indices"))}};
  });
}

at::Tensor Quantizer::codebookEntry(const at::Tensor& indices) {
  at::Tensor entry = embed(remapped() ? unmapToAll(indices) : indices);
  return indices.dim() == 3 ? channelsFirst(entry) : entry;
}

at::Tensor Quantizer::remapToUsed(const at::Tensor& indices) const {
  at::Tensor flat = indices.reshape({indices.size(0), -1});
  at::Tensor match = flat.unsqueeze(-1) == usedCodes();  // [b, n, used]
  at::Tensor remapped = match.to(at::kByte).argmax(-1);
  at::Tensor unknown = match.any(-1).logical_not();
  if (randomUnknown_) {
    int64_t count = unknown.sum().item<int64_t>();
    remapped.index_put_({unknown}, randint(0, reEmbed_, {count}, remapped.options()));
  } else {
    remapped.masked_fill_(unknown, unknownIndex_);
  }
  return remapped.reshape(indices.sizes());
}

at::Tensor Quantizer::unmapToAll(const at::Tensor& indices) const {
  const bool extra = reEmbed_ > used_.size(0);
  return usedCodes().index({extra ? indices.masked_fill(indices >= used_.size(0), 0) : indices});
}

at::Tensor Quantizer::channelsLast(const at::Tensor& z) const {
  if (z.dim() != 4 || z.size(1) != dim_)
    invalid("The codebook holds vectors of " + std::to_string(dim_) + " numbers, but the latent is " +
            Value(z).describe());
  return z.permute({0, 2, 3, 1}).contiguous();
}

at::Tensor Quantizer::nearest(const at::Tensor& flat, const at::Tensor& codes, bool batched) const {
  at::NoGradGuard noGrad;
  // |z - e|^2 = |z|^2 + |e|^2 - 2 z.e. The two products are rounded alike only where the reference's choice is
  // followed.
  at::Tensor product = batched ? at::einsum("bd,nd->bn", {flat, codes}) : at::matmul(flat, codes.t());
  at::Tensor distance = flat.pow(2).sum(1, true) + codes.pow(2).sum(1);
  return distance.sub_(product.mul_(2)).argmin(1);
}

at::Tensor channelsFirst(const at::Tensor& z) { return z.permute({0, 3, 1, 2}).contiguous(); }

at::Tensor straightThrough(const at::Tensor& z, const at::Tensor& quantized) { return z + (quantized - z).detach(); }

at::Tensor perplexityOf(const at::Tensor& frequencies) {
  return (-(frequencies * (frequencies + 1e-10).log()).sum()).exp();
}

}  // namespace ldm
