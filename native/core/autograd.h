// The few entries of autograd that the library needs, kept apart because their headers are slow to compile.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace ldm {

/// torch.autograd.grad. An input that gets no gradient yields an undefined tensor when `allowUnused`, else throws.
std::vector<at::Tensor> gradients(const std::vector<at::Tensor>& outputs, const std::vector<at::Tensor>& inputs,
                                  const std::vector<at::Tensor>& gradOutputs = {}, bool retainGraph = false,
                                  bool allowUnused = false);

/// torch.autograd.backward with the gradient 1 for a scalar, or `gradient`.
void backward(const at::Tensor& loss, const at::Tensor& gradient = {}, bool retainGraph = false);

/// While it lives, backward passes call `f(i)` as soon as the gradient of the i-th of these leaves is complete. Whoever
/// frees or uses that gradient there need not wait for the others. One at a time for a leaf.
class GradientHooks {
 public:
  GradientHooks(std::vector<at::Tensor> leaves, const std::function<void(size_t)>& f);
  ~GradientHooks();
  GradientHooks(const GradientHooks&) = delete;

 private:
  std::vector<at::Tensor> leaves_;
};

/// Activation checkpointing (reference: ldm.modules.diffusionmodules.util.checkpoint): runs `fn` without a graph and
/// again, with one, in the backward pass. `inputs` may hold undefined tensors; `parameters` are what fn reads besides.
/// Outside of gradient mode it just calls fn.
at::Tensor checkpoint(const std::function<at::Tensor(const std::vector<at::Tensor>&)>& fn,
                      const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& parameters);

}  // namespace ldm
