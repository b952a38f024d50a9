#include "linear_gradient.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>
#include <vector>

#include "group_norm_gradient.h"
#include "linear.h"

namespace ldm {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using OptionalTensor = std::optional<at::Tensor>;

OptionalTensor optional(const at::Tensor& t) { return t.defined() ? OptionalTensor(t) : std::nullopt; }

/// The weight in the format of what it is multiplied with. What is kept is the parameter itself: copies of all weights
/// in bfloat16 would take half of their memory.
at::Tensor alike(const at::Tensor& weight, const at::Tensor& x) { return weight.to(x.scalar_type()); }

/// Saves what the gradients of x, weight and bias need.
void remember(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight, const OptionalTensor& bias) {
  ctx->save_for_backward({weight.requires_grad() ? x : at::Tensor(), weight});
  ctx->saved_data["offset"] = bias.has_value();
}

bool biasNeedsGradient(const AutogradContext& ctx) {
  return ctx.saved_data.at("offset").toBool() && ctx.needs_input_grad(2);
}

class LinearFunction : public torch::autograd::Function<LinearFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight,
                            const OptionalTensor& bias) {
    remember(ctx, x, weight, bias);
    return matrixProduct(x, alike(weight, x), bias ? alike(*bias, x) : at::Tensor());
  }

  static variable_list backward(AutogradContext* ctx, variable_list above) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor dy = above[0].contiguous();
    at::Tensor dx, dw, db;
    if (ctx->needs_input_grad(0)) dx = matrixProduct(dy, alike(saved[1], dy).t());
    if (ctx->needs_input_grad(1)) dw = matrixProduct(dy.t(), saved[0].t());
    if (biasNeedsGradient(*ctx)) db = dy.sum(at::IntArrayRef{0}, /*keepdim=*/false, at::kFloat);
    return {dx, dw, db};
  }
};

/// For x [N, C, T]: a product for each of the N.
class PlanesFunction : public torch::autograd::Function<PlanesFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight,
                            const OptionalTensor& bias) {
    remember(ctx, x, weight, bias);
    const at::Tensor w = alike(weight, x);
    at::Tensor y = each(x.size(0), [&](int64_t n) { return matrixProduct(w, x[n].t()); });
    return bias ? y.add_(bias->unsqueeze(-1)) : y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list above) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], dy = above[0].contiguous();
    at::Tensor dx, dw, db;
    if (ctx->needs_input_grad(0)) {
      const at::Tensor turned = alike(weight, dy).t().contiguous();
      dx = each(dy.size(0), [&](int64_t n) { return matrixProduct(turned, dy[n].t()); });
    }
    if (ctx->needs_input_grad(1)) {
      dw = matrixProduct(dy[0], x[0]);
      for (int64_t n = 1; n < dy.size(0); ++n) dw.add_(matrixProduct(dy[n], x[n]));
    }
    if (biasNeedsGradient(*ctx)) db = dy.sum(at::IntArrayRef{0, 2}, /*keepdim=*/false, at::kFloat);
    return {dx, dw, db};
  }

 private:
  template <class F>
  static at::Tensor each(int64_t count, const F& product) {
    if (count == 1) return product(0).unsqueeze(0);
    std::vector<at::Tensor> parts;
    for (int64_t n = 0; n < count; ++n) parts.push_back(product(n));
    return at::stack(parts);
  }
};

}  // namespace

at::Tensor linearWithGradient(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return LinearFunction::apply(x, weight, optional(bias));
}

at::Tensor pointwiseWithGradient(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const int64_t batch = x.size(0), height = x.size(2), width = x.size(3), outs = weight.size(0);
  const at::Tensor w = weight.flatten(1);
  if (isChannelsLast(x)) {
    const at::Tensor rows = x.permute({0, 2, 3, 1}).view({-1, x.size(1)});
    return linearWithGradient(rows, w, bias).view({batch, height, width, outs}).permute({0, 3, 1, 2});
  }
  const at::Tensor y = PlanesFunction::apply(x.contiguous().flatten(2), w, optional(bias));
  return y.view({batch, outs, height, width});
}

}  // namespace ldm
