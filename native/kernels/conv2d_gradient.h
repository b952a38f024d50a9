// The fast paths of conv2d() where gradients are needed.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// winogradConv3x3() that autograd can go back through (once: the gradients have none of their own).
at::Tensor winogradWithGradient(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

/// winogradFixedConv3x3() that autograd can go back through (once). Takes fp32 or bfloat16; the result is bfloat16, the
/// gradients of weight and bias are computed in fp32 from bfloat16 operands.
/// @param bias not undefined
at::Tensor winogradFixedWithGradient(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                                     bool doubled);

/// Whether columnsWithGradient() is the fastest way: many weights for few pixels, where libtorch's convolution spends
/// its time on bringing weights and their gradient into another order.
/// @param mostPixels of the result
bool columnsSuit(const at::Tensor& x, const at::Tensor& weight, int64_t stride, int64_t padding,
                 int64_t mostPixels = 64);

/// A convolution as the product of the weights, as they lie in memory, and the patches of x, in the format of x: the
/// parameters are fp32 or in the same. The result is contiguous in fp32, channels-last in bfloat16. With autograd.
at::Tensor columnsWithGradient(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, int64_t stride,
                               int64_t padding);

}  // namespace ldm
