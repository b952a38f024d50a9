// How libtorch chooses among the kernels of an operation; holds for the whole process.
#pragma once

namespace ldm {

/// torch.backends.cudnn.benchmark: cuDNN measures its convolutions for each new shape and takes the fastest.
void setBenchmark(bool on);

/// torch.use_deterministic_algorithms: the same numbers in every run; operations that have only kernels whose result
/// depends on the order of threads throw.
void setDeterministic(bool on);

}  // namespace ldm
