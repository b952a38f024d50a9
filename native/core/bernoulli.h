// Bernoulli draws of libtorch's generator for the CPU (a Mersenne Twister: Matsumoto and Nishimura 1998), a block of
// its state at a time. libtorch draws them one by one.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

namespace ldm {

/// Whether libtorch's draws from this generator are those of bernoulli(): it is one of the CPU, and the processor not
/// one of Intel's, for which libtorch has another stream.
bool bernoulliSuits(const at::Generator& generator);

/// What mask.bernoulli_(p, generator) does, number by number. The state of the generator is the same afterwards, too.
/// @param mask fp32 on the CPU, contiguous
/// @param p from 0 to 1
void bernoulli(const at::Tensor& mask, double p, at::Generator& generator);

/// What drawing `count` numbers leaves of the generator.
void skipBernoulli(int64_t count, at::Generator& generator);

}  // namespace ldm
