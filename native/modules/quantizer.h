// What the codebooks of the VQ first stages have in common: quantization, lookup, and the reduced codebook of `remap`.
// Reference: taming/modules/vqvae/quantize.py.
#pragma once

#include <ATen/core/Tensor.h>

#include "layers.h"

namespace ldm {

/// What quantization gives. Fields that a quantizer does not have are undefined.
struct Quantized {
  at::Tensor quant;       ///< [b, c, h, w]; its gradient goes to the input unchanged
  at::Tensor loss;        ///< scalar: what keeps latents and codes together
  at::Tensor indices;     ///< int64: [b*h*w], [b*h*w, 1] or [b, h, w], as the quantizer says
  at::Tensor perplexity;  ///< scalar: how many codes are in use, counted by the entropy of their frequencies
  at::Tensor encodings;   ///< the chosen codes as one-hot rows [b*h*w, n]
  at::Tensor logits;      ///< [b, n, h, w] before the softmax (Gumbel)

  /// {quant, loss, indices, perplexity, encodings, logits}, null where undefined.
  Value toValue() const;
};

/// A codebook.
///
/// Methods: quantize {z} -> Quantized, codebookEntry {indices} -> {quant}; with `remap` remapToUsed and unmapToAll
/// {indices} -> {indices}.
class Quantizer : public Module {
 public:
  /// Replaces every vector of z [b, c, h, w].
  virtual Quantized quantize(const at::Tensor& z) = 0;
  /// Whether quantize() neither draws random numbers nor changes anything while training.
  virtual bool isPure() const { return false; }
  /// Embeddings of indices (of the reduced codebook when remapped): [b, h, w] -> [b, c, h, w], else [...] -> [..., c].
  at::Tensor codebookEntry(const at::Tensor& indices);

  /// Indices of the whole codebook, [b, ...], to those of the reduced one.
  at::Tensor remapToUsed(const at::Tensor& indices) const;
  /// And back; the extra index means the first code.
  at::Tensor unmapToAll(const at::Tensor& indices) const;

 protected:
  Quantizer(int64_t codes, int64_t dim);
  /// Reads `remap` (null, or the tensor of the codes that a reduced codebook keeps) and `unknown_index` ("random",
  /// "extra" or an index) for all others.
  void addRemap(const Value& params);
  bool remapped() const { return used_.defined(); }
  /// Whether remapping draws the indices of codes that are not in use.
  bool remapDraws() const { return remapped() && randomUnknown_; }
  /// The codes of the reduced codebook, int64.
  at::Tensor usedCodes() const { return used_.to(at::kLong); }

  virtual at::Tensor embed(const at::Tensor& indices) = 0;
  /// [b, c, h, w] -> contiguous [b, h, w, c], after a check of c.
  at::Tensor channelsLast(const at::Tensor& z) const;
  /// Index of the nearest code for each row of `flat` [n, c]; of equal distances the first.
  at::Tensor nearest(const at::Tensor& flat, const at::Tensor& codes, bool batched) const;

  int64_t codes_, dim_;

 private:
  bool randomUnknown_ = false;
  int64_t unknownIndex_ = 0;  ///< unless randomUnknown_
  int64_t reEmbed_;           ///< number of indices that can occur in the output
  at::Tensor used_;           ///< undefined without remap
};

/// [b, h, w, c] -> contiguous [b, c, h, w].
at::Tensor channelsFirst(const at::Tensor& z);
/// The value of `quantized` with the gradient of `z`.
at::Tensor straightThrough(const at::Tensor& z, const at::Tensor& quantized);
/// exp of the entropy of the codes' mean frequencies [n].
at::Tensor perplexityOf(const at::Tensor& frequencies);

}  // namespace ldm
