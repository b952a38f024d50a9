// What a denoising network is conditioned on, in the one form that every sampler and model uses.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "../core/value.h"

namespace ldm {

/// DiffusionWrapper's conditioning_key.
enum class ConditioningKey { None, Concat, CrossAttn, Hybrid, Adm, HybridAdm, CrossAttnAdm };
/// From the config: null, concat, crossattn, hybrid, adm, hybrid-adm or crossattn-adm.
ConditioningKey parseConditioningKey(const Value& key);

/// Tensors that are concatenated to the input's channels, and tensors for the cross-attention (concatenated over
/// tokens; under "adm" the first one holds the class labels). Both are empty for an unconditional model. Under
/// "hybrid-adm" and "crossattn-adm", `adm` holds the labels or vectors that are added to the time embedding.
struct Conditioning {
  std::vector<at::Tensor> concat;
  std::vector<at::Tensor> crossattn;
  at::Tensor adm;

  bool empty() const { return concat.empty() && crossattn.empty() && !adm.defined(); }

  /// Accepts what LatentDiffusion.apply_model does: null, a tensor, a list of tensors, or a map with c_concat and/or
  /// c_crossattn (each a tensor or a list) and/or c_adm (a tensor). `key` tells where a bare tensor or list belongs.
  static Conditioning from(const Value& value, ConditioningKey key);
  /// As JavaScript gets it: null, or {c_concat, c_crossattn, c_adm} with what there is.
  Value toValue() const;

  /// The first n entries of each batch.
  Conditioning firstOf(int64_t n) const;
  /// The batches [a, b], for guidance. Throws when they are not of the same form.
  static Conditioning stack(const Conditioning& a, const Conditioning& b);
};

}  // namespace ldm
