// 3x3 convolution of bfloat16 images by Winograd's F(4x4, 3x3) in fixed point.
//
// The transforms of a tile of 4x4 multiply the error of numbers with 8 significant bits by five, which bfloat16 cannot
// afford. Fixed point can: transforms are computed in fp32, and what is multiplied are 16-bit integers, each tile's
// (and each filter's) channels scaled to a Euclidean norm of 2^15. By the inequality of Cauchy and Schwarz no sum of
// products leaves 2^30, so 32-bit sums are exact, and with 512 channels a root mean square of 1448 is left, three bits
// more than bfloat16 has. Such a product takes as long as one in bfloat16, on processors with AVX-512 VNNI.
#pragma once

#include <ATen/core/Tensor.h>

namespace ldm {

/// Whether the processor has what winogradFixedConv3x3() is made of, and tensors of these shapes are worth its
/// transforms: channels in multiples of 16 and enough of them, images large enough. They have to be in bfloat16.
bool winogradFixedSuits(const at::Tensor& x, const at::Tensor& weight, bool doubled);

/// conv2d(x, weight, bias, stride 1, padding 1) in bfloat16 for weight [O, C, 3, 3] and x [N, C, H, W] in any layout,
/// without autograd. The root mean square of the error, beside the exact convolution's, is 3.2e-3 of that of the result
/// with 512 channels; the direct sum's is 2.8e-3, most of which comes from rounding the operands and the result.
///
/// The filters are transformed at each call: kept, they would take four times the memory of the weights, and reading
/// them would take as long as transforming.
/// @param weight fp32 or bfloat16
/// @param bias [O] or undefined
/// @param doubled whether x is first enlarged to [N, C, 2H, 2W], each pixel to 2x2. From 2048 pixels on that is
/// computed as four convolutions of x with 2x2 taps, by F(5x5, 2x2)
/// @param transposed whether weight is [C, O, 3, 3] and its taps are read backwards: so the gradient of a convolution's
/// input comes from that of its output and the convolution's own weight
/// @return [N, O, H, W] or [N, O, 2H, 2W], channels-last
at::Tensor winogradFixedConv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool doubled,
                                bool transposed = false);

/// The gradient of `weight` of winogradFixedConv3x3(), fp32 [O, C, 3, 3] contiguous, from its x [N, C, H, W] and the
/// gradient of its result, both bfloat16 in any layout: the same algorithm backwards, with sums over blocks of tiles in
/// integers and over those in fp32.
at::Tensor winogradFixedWeightGradient(const at::Tensor& x, const at::Tensor& gradient, bool doubled);

}  // namespace ldm
