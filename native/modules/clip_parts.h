// What the text and image towers of CLIP have in common, whatever layout their weights come in.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace ldm {

/// The function between the two maps of a CLIP layer's feed-forward network.
enum class ClipActivation { QuickGelu, Gelu };
/// "quick_gelu" (OpenAI's models) or "gelu" (most of open_clip's).
ClipActivation parseClipActivation(const std::string& name);
/// QuickGELU is x * sigmoid(1.702 x).
at::Tensor clipActivation(const at::Tensor& x, ClipActivation activation);

/// Attention between heads that lie one beside the other.
/// @param q, k, v [b, n, width]; width is a multiple of heads
/// @param causal no token sees a later one
/// @return [b, n, width]
at::Tensor clipAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads, bool causal);

/// Refuses a width that does not split into heads.
void checkClipHeads(int64_t width, int64_t heads);

/// Refuses what are no token ids [n, length].
void checkClipTokens(const at::Tensor& tokens, int64_t length);

/// The state at each text's end, [n, width]: that of the largest id of its row, as in OpenAI's vocabulary.
/// @param y [n, length, width]
at::Tensor clipEndOfText(const at::Tensor& y, const at::Tensor& tokens);

}  // namespace ldm
