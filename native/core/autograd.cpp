#include "autograd.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <memory>
#include <optional>
#include <utility>

#include "context.h"

namespace ldm {

std::vector<at::Tensor> gradients(const std::vector<at::Tensor>& outputs, const std::vector<at::Tensor>& inputs,
                                  const std::vector<at::Tensor>& gradOutputs, bool retainGraph, bool allowUnused) {
  return torch::autograd::grad(outputs, inputs, gradOutputs, retainGraph, /*create_graph=*/false, allowUnused);
}

void backward(const at::Tensor& loss, const at::Tensor& gradient, bool retainGraph) {
  std::vector<at::Tensor> grads;
  if (gradient.defined()) grads.push_back(gradient);
  torch::autograd::backward({loss}, grads, retainGraph);
}

namespace {

class LeafHook : public torch::autograd::PostAccumulateGradHook {
 public:
  LeafHook(std::function<void(size_t)> f, size_t index) : f_(std::move(f)), index_(index) {}
  void operator()(const at::Tensor&) override { f_(index_); }

 private:
  std::function<void(size_t)> f_;
  size_t index_;
};

}  // namespace

GradientHooks::GradientHooks(std::vector<at::Tensor> leaves, const std::function<void(size_t)>& f)
    : leaves_(std::move(leaves)) {
  for (size_t i = 0; i < leaves_.size(); ++i)
    torch::autograd::impl::set_post_acc_grad_hooks(leaves_[i], std::make_unique<LeafHook>(f, i));
}

GradientHooks::~GradientHooks() {
  for (const at::Tensor& leaf : leaves_) torch::autograd::impl::set_post_acc_grad_hooks(leaf, nullptr);
}

namespace {

using CheckpointFn = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

struct CheckpointState : torch::CustomClassHolder {
  CheckpointFn fn;
  std::vector<bool> defined;
};

class CheckpointFunction : public torch::autograd::Function<CheckpointFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, c10::intrusive_ptr<CheckpointState> state,
                            at::TensorList tensors) {
    ctx->saved_data["state"] = c10::IValue::make_capsule(state);
    ctx->save_for_backward(tensors.vec());
    std::vector<at::Tensor> inputs;
    for (size_t i = 0, k = 0; i < state->defined.size(); ++i)
      inputs.push_back(state->defined[i] ? tensors[k++] : at::Tensor());
    return state->fn(inputs);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list gradOutputs) {
    auto state = c10::static_intrusive_pointer_cast<CheckpointState>(ctx->saved_data["state"].toCapsule());
    auto saved = ctx->get_saved_variables();
    // On CUDA the engine calls this from its own thread: bring the running job's context along.
    std::optional<ContextScope> borrowed;
    if (!insideJob()) borrowed.emplace(contextOfDevice(gradOutputs[0].device()));
    at::AutoGradMode gradMode(true);
    std::vector<at::Tensor> inputs, wanted;
    size_t k = 0;
    for (bool defined : state->defined) {
      if (!defined) {
        inputs.emplace_back();
        continue;
      }
      const at::Tensor& original = saved[k++];
      at::Tensor t = original.detach();
      if (t.is_floating_point()) t.set_requires_grad(original.requires_grad());
      inputs.push_back(t);
    }
    for (const auto& t : inputs)
      if (t.defined()) wanted.push_back(t);
    for (; k < saved.size(); ++k) wanted.push_back(saved[k]);
    at::Tensor out = state->fn(inputs);
    std::vector<at::Tensor> needed;
    for (const auto& t : wanted)
      if (t.requires_grad()) needed.push_back(t);
    auto grads = gradients({out}, needed, {gradOutputs[0]}, false, true);
    torch::autograd::variable_list result;
    result.emplace_back();  // for the state
    size_t g = 0;
    for (const auto& t : wanted) result.push_back(t.requires_grad() ? grads[g++] : at::Tensor());
    return result;
  }
};

}  // namespace

at::Tensor checkpoint(const CheckpointFn& fn, const std::vector<at::Tensor>& inputs,
                      const std::vector<at::Tensor>& parameters) {
  if (!at::GradMode::is_enabled()) return fn(inputs);
  auto state = c10::make_intrusive<CheckpointState>();
  state->fn = fn;
  torch::autograd::variable_list tensors;
  for (const auto& t : inputs) {
    state->defined.push_back(t.defined());
    if (t.defined()) tensors.push_back(t);
  }
  tensors.insert(tensors.end(), parameters.begin(), parameters.end());
  // as a TensorList: apply() does not look for variables in a std::vector
  return CheckpointFunction::apply(state, at::TensorList(tensors));
}

}  // namespace ldm
