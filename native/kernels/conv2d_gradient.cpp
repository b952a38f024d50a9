#include "conv2d_gradient.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "../core/full_precision.h"
#include "im2col.h"
#include "linear.h"
#include "winograd.h"
#include "winograd_fixed.h"

namespace ldm {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor biasGradient(const AutogradContext& ctx, const at::Tensor& dy) {
  return ctx.needs_input_grad(2) ? dy.sum(at::IntArrayRef{0, 2, 3}, /*keepdim=*/false, at::kFloat) : at::Tensor();
}

class WinogradFunction : public torch::autograd::Function<WinogradFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& input, const at::Tensor& weight,
                            const at::Tensor& bias) {
    const at::Tensor x = input.contiguous(at::MemoryFormat::ChannelsLast);
    ctx->save_for_backward({weight.requires_grad() ? x : at::Tensor(), weight});
    return winogradConv3x3(x, weight, bias);
  }

  static variable_list backward(AutogradContext* ctx, variable_list above) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor dy = above[0].contiguous(at::MemoryFormat::ChannelsLast);
    at::Tensor dx, dw;
    if (ctx->needs_input_grad(0)) dx = winogradConv3x3(dy, saved[1], {}, /*transposed=*/true);
    if (ctx->needs_input_grad(1)) dw = winogradWeightGradient(saved[0], dy);
    return {dx, dw, biasGradient(*ctx, dy)};
  }
};

class FixedFunction : public torch::autograd::Function<FixedFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& input, const at::Tensor& weight,
                            const at::Tensor& bias, bool doubled) {
    const FullPrecision noAutocast;
    const at::Tensor x = input.to(at::kBFloat16).contiguous(at::MemoryFormat::ChannelsLast);
    ctx->save_for_backward({weight.requires_grad() ? x : at::Tensor(), weight});
    ctx->saved_data["doubled"] = doubled;
    return winogradFixedConv3x3(x, weight, bias, doubled);
  }

  static variable_list backward(AutogradContext* ctx, variable_list above) {
    const FullPrecision noAutocast;
    const auto saved = ctx->get_saved_variables();
    const bool doubled = ctx->saved_data["doubled"].toBool();
    const at::Tensor dy = above[0].to(at::kBFloat16).contiguous(at::MemoryFormat::ChannelsLast);
    at::Tensor dx, dw;
    if (ctx->needs_input_grad(0)) {
      dx = winogradFixedConv3x3(dy, saved[1], {}, /*doubled=*/false, /*transposed=*/true);
      if (doubled)  // the sum over the 2x2 copies of a pixel
        dx = at::avg_pool2d(dx, {2, 2}, {2, 2}, {0, 0}, /*ceil_mode=*/false, /*count_include_pad=*/true,
                            /*divisor_override=*/1);
    }
    if (ctx->needs_input_grad(1)) dw = winogradFixedWeightGradient(saved[0], dy, doubled);
    return {dx, dw, biasGradient(*ctx, dy), {}};
  }
};

class ColumnsFunction : public torch::autograd::Function<ColumnsFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            int64_t stride, int64_t padding) {
    ctx->save_for_backward({x, weight});
    ctx->saved_data["stride"] = stride;
    ctx->saved_data["padding"] = padding;
    const int64_t kernel = weight.size(2), outs = weight.size(0);
    at::Tensor y = matrixProduct(patchesOf(x, weight, stride, padding), weight.to(x.scalar_type()).view({outs, -1}));
    if (bias.defined()) y.add_(bias);
    const auto side = [&](int64_t size) { return (size + 2 * padding - kernel) / stride + 1; };
    const at::Tensor image = y.view({x.size(0), side(x.size(2)), side(x.size(3)), outs}).permute({0, 3, 1, 2});
    return x.scalar_type() == at::kFloat ? image.contiguous() : image;
  }

  static variable_list backward(AutogradContext* ctx, variable_list above) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &dy = above[0];
    const int64_t kernel = weight.size(2), outs = weight.size(0), batch = x.size(0);
    const int64_t stride = ctx->saved_data["stride"].toInt(), padding = ctx->saved_data["padding"].toInt();
    const at::Tensor rows = dy.permute({0, 2, 3, 1}).reshape({-1, outs});
    at::Tensor dx, dw;
    if (ctx->needs_input_grad(0)) {
      const at::Tensor columns =
          matrixProduct(rows, weight.to(x.scalar_type()).view({outs, -1}).t()).view({batch, -1, weight.numel() / outs});
      dx = at::col2im(columns.transpose(1, 2).contiguous(), {x.size(2), x.size(3)}, {kernel, kernel}, {1, 1},
                      {padding, padding}, {stride, stride});
    }
    if (ctx->needs_input_grad(1))
      dw = matrixProduct(rows.t(), patchesOf(x, weight, stride, padding).t()).view(weight.sizes());
    return {dx, dw, biasGradient(*ctx, dy), {}, {}};
  }
};

}  // namespace

at::Tensor winogradWithGradient(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return WinogradFunction::apply(x, weight, bias);
}

at::Tensor winogradFixedWithGradient(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                                     bool doubled) {
  return FixedFunction::apply(x, weight, bias, doubled);
}

bool columnsSuit(const at::Tensor& x, const at::Tensor& weight, int64_t stride, int64_t padding, int64_t mostPixels) {
  constexpr int64_t kFewestWeights = int64_t{1} << 20;
  if (!weight.is_contiguous() || weight.size(2) != weight.size(3) || weight.numel() < kFewestWeights) return false;
  const auto side = [&](int64_t size) { return (size + 2 * padding - weight.size(2)) / stride + 1; };
  const int64_t pixels = x.size(0) * side(x.size(2)) * side(x.size(3));
  return pixels > 0 && pixels <= mostPixels;
}

at::Tensor columnsWithGradient(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, int64_t stride,
                               int64_t padding) {
  return ColumnsFunction::apply(x, weight, bias, stride, padding);
}

}  // namespace ldm
