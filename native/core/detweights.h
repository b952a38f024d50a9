// Deterministic values that any language reproduces bit for bit from a tensor's name, its shape and a seed. The golden
// cases use them instead of stored weights (a network of 872 M parameters would not fit into a repository).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace ldm {

/// float32 values `offset + f * bound` with f in (-1, 1) from splitmix64 over FNV-1a(name) xor seed.
///
/// The rule by name and shape: running_var 1 +- 0.5; running_mean +- 0.1; a 4-dim `.scale` (ActNorm) 1 +- 0.2, its
/// `.loc` +- 0.1; 0-dim +- 0.1; 1-dim `...weight` 1 +- 0.2, other 1-dim +- 0.1; everything else +- sqrt(gain / fan_in)
/// with gain 6 for VGG's convolutions (`perceptual_loss.net.`, `net.`) and 3 otherwise. The sum is rounded once, from
/// float64, so that a fused multiply-add must not be used.
at::Tensor detWeights(const std::string& name, at::IntArrayRef shape, uint64_t seed);

}  // namespace ldm
