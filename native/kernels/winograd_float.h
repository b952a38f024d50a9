// 3x3 convolution in fp32 by Winograd's F(4x4, 3x3) with products of this project's own.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// Whether the processor has what winogradFloatConv3x3() is made of (AVX-512).
bool winogradFloatAvailable();

/// winogradConv3x3() (winograd.h) of x [N, C, H, W] in channels-last layout and weight [O, C, 3, 3], contiguous, both
/// fp32: the same transforms, with the products in the order in which they stay closest to the processor.
/// @param bias [O]
/// @param doubled whether x is first enlarged to [N, C, 2H, 2W], each pixel to 2x2; see winograd_fixed.h
/// @param transposed whether weight is [C, O, 3, 3] and its taps are read backwards
at::Tensor winogradFloatConv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool doubled,
                                bool transposed);

}  // namespace ldm
