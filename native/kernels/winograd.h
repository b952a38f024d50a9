// 3x3 convolution by the minimal filtering algorithms of Winograd, after Lavin & Gray 2016, "Fast Algorithms for
// Convolutional Neural Networks": F(4x4, 3x3) in fp32, with a quarter of the multiplications of the direct sum, and
// F(2x2, 3x3) in bfloat16, with four ninths. On processors with AVX-512 winograd_float.h and winograd_fixed.h take
// their places.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// Whether these shapes are right for winogradConv3x3 and worth its transforms: input and output channels multiples of
/// 16 and enough of them, images large enough.
/// @param doubled for winogradDoubledConv3x3
bool winogradSuits(const at::Tensor& x, const at::Tensor& weight, bool doubled = false);

/// conv2d(x, weight, bias, stride 1, padding 1) for weight [O, C, 3, 3] and x [N, C, H, W] in any layout; the result is
/// in channels-last layout. fp32 or bfloat16 on the CPU, without autograd. `bias` may be undefined.
///
/// The filters are transformed at each call: kept, they would take four times the memory of the weights. Error in fp32:
/// 2e-6 to 5e-6 of the largest output with 128 to 512 channels (the direct sum: 3e-7 to 5e-7).
///
/// `transposed`: weight is [C, O, 3, 3] and its taps are read backwards. So the gradient of a convolution's input comes
/// from that of its output and the convolution's own weight.
at::Tensor winogradConv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                           bool transposed = false);

/// winogradConv3x3 of x enlarged to [N, C, 2H, 2W], each pixel to 2x2, which is never held.
at::Tensor winogradDoubledConv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

/// The gradient of `weight` of winogradConv3x3, [O, C, 3, 3] contiguous, from x [N, C, H, W] and the gradient of the
/// result [N, O, H, W]: the same algorithm backwards, with as few multiplications.
at::Tensor winogradWeightGradient(const at::Tensor& x, const at::Tensor& gradient);

}  // namespace ldm
