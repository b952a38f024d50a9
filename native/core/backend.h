// How libtorch chooses among the kernels of an operation; holds for the whole process.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// torch.backends.cudnn.benchmark: cuDNN measures its convolutions for each new shape and takes the fastest.
void setBenchmark(bool on);

/// torch.use_deterministic_algorithms: the same numbers in every run; operations that have only kernels whose result
/// depends on the order of threads throw.
void setDeterministic(bool on);

/// Where products of fp32 on CUDA may round their factors to TF32 (10 bits after the first): nowhere, in cuDNN's
/// convolutions as PyTorch does by default, or in matrix products as well.
enum class Tf32 { Off, Convolutions, All };
void setTf32(Tf32 use);

/// Whether samplers on a GPU run the network by graphs (device_graph.h). Off unless set.
void setGraphs(bool on);
bool graphsWanted();

/// The tensor on `device`. From the host to a GPU it goes through pinned memory, so that the caller does not wait for
/// what the device is doing.
at::Tensor onDevice(const at::Tensor& tensor, at::Device device);

}  // namespace ldm
