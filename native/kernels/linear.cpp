#include "linear.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <algorithm>
#include <vector>

#include "../core/module.h"
#include "few_rows.h"
#include "linear_gradient.h"
#include "policy.h"

namespace ldm {

at::Tensor matrixProduct(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (fewRowsSuit(x, weight)) return fewRowsProduct(x, weight, bias);
  using Signature = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&, std::string_view,
                               c10::List<std::optional<at::Scalar>>, std::optional<std::string_view>);
  static const auto op = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
  const std::optional<at::Tensor> offset = bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt;
  if (!op || !at::globalContext().userEnabledMkldnn()) return at::linear(x, weight, offset);
  return op->typed<Signature>().call(x, weight, offset, "none", c10::List<std::optional<at::Scalar>>(),
                                     std::string_view());
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = weight.size(0);
  if (std::max({x.numel(), weight.numel(), x.numel() / x.size(-1) * weight.size(0)}) >= kFewElements) {
    const at::Tensor rows = x.reshape({-1, x.size(-1)});
    if (fastTraining({x, weight, bias}) && weight.requires_grad())
      return linearWithGradient(rows, weight, bias).view(shape);
    if (fastHalfTraining({x, weight, bias}))
      return linearWithGradient(rows.to(at::kBFloat16), weight, bias).view(shape);
  }
  const FastScope fast({x, weight, bias});
  if (!fast) return at::linear(x, widened(weight, x), bias);
  const at::Tensor rows = fast.take(x.reshape({-1, x.size(-1)}));
  const at::Tensor y = matrixProduct(rows, fast.take(weight), bias.defined() ? fast.take(bias) : bias);
  return y.view(shape);
}

}  // namespace ldm
