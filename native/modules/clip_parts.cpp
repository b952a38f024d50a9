#include "clip_parts.h"

#include <ATen/ATen.h>

#include <cmath>

#include "../core/error.h"
#include "../core/value.h"
#include "../kernels/attention.h"

namespace ldm {

ClipActivation parseClipActivation(const std::string& name) {
  if (name == "quick_gelu") return ClipActivation::QuickGelu;
  if (name == "gelu") return ClipActivation::Gelu;
  invalid("unknown hidden_act '" + name + "' of a CLIP text model: expected quick_gelu or gelu");
}

at::Tensor clipActivation(const at::Tensor& x, ClipActivation activation) {
  return activation == ClipActivation::Gelu ? at::gelu(x) : x * at::sigmoid(1.702 * x);
}

at::Tensor clipAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads, bool causal) {
  const auto split = [heads](const at::Tensor& t) { return t.unflatten(-1, {heads, -1}).transpose(1, 2); };
  const double scale = std::pow(static_cast<double>(q.size(-1) / heads), -0.5);
  const at::Tensor out = causal ? causalAttention(split(q), split(k), split(v), scale)
                                : ldm::attention(split(q), split(k), split(v), scale);
  return out.transpose(1, 2).flatten(2);
}

void checkClipHeads(int64_t width, int64_t heads) {
  if (heads < 1 || width % heads != 0)
    invalid("A width of " + std::to_string(width) + " cannot be split into " + std::to_string(heads) + " heads");
}

void checkClipTokens(const at::Tensor& tokens, int64_t length) {
  if (tokens.dim() != 2 || tokens.size(1) != length || tokens.is_floating_point())
    invalid("Expected token ids, integers of shape [n, " + std::to_string(length) + "], but received " +
            Value(tokens).describe());
}

at::Tensor clipEndOfText(const at::Tensor& y, const at::Tensor& tokens) {
  return at::index(y, {at::arange(tokens.size(0), tokens.options()), tokens.argmax(-1)});
}

}  // namespace ldm
