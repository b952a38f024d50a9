// Distances of 8-bit images: PSNR, and SSIM (Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From Error
// Visibility to Structural Similarity", 2004).
#include <ATen/ATen.h>

#include <cmath>

#include "../core/context.h"
#include "../core/registry.h"

namespace ldm {

namespace {
constexpr int64_t kWindow = 11;
constexpr double kSigma = 1.5;
constexpr double kPeak = 255;
constexpr double kC1 = (0.01 * kPeak) * (0.01 * kPeak);
constexpr double kC2 = (0.03 * kPeak) * (0.03 * kPeak);

at::Tensor gaussianWindow(const at::TensorOptions& options) {
  const at::Tensor x = at::arange(kWindow, options) - (kWindow - 1) / 2;
  const at::Tensor weights = at::exp(-x.square() / (2 * kSigma * kSigma));
  return weights / weights.sum();
}

/// Local means under the window, where it lies within the image. @param x [n, 1, H, W]
at::Tensor blurred(const at::Tensor& x, const at::Tensor& window) {
  return at::conv2d(at::conv2d(x, window.view({1, 1, kWindow, 1})), window.view({1, 1, 1, kWindow}));
}

/// One number for each plane. @param a, b float64 [n, 1, H, W] with values from 0 to 255
at::Tensor similarityOfPlanes(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor window = gaussianWindow(a.options());
  const at::Tensor meanA = blurred(a, window), meanB = blurred(b, window);
  const at::Tensor varA = blurred(a * a, window) - meanA * meanA;
  const at::Tensor varB = blurred(b * b, window) - meanB * meanB;
  const at::Tensor covariance = blurred(a * b, window) - meanA * meanB;
  const at::Tensor map = ((2 * meanA * meanB + kC1) * (2 * covariance + kC2)) /
                         ((meanA * meanA + meanB * meanB + kC1) * (varA + varB + kC2));
  return map.mean(at::IntArrayRef{1, 2, 3});
}

void check(const at::Tensor& a, const at::Tensor& b) {
  if (a.dim() != 4 || a.scalar_type() != at::kByte || b.scalar_type() != at::kByte || a.sizes() != b.sizes())
    throw LdmError("ERR_INVALID_ARGUMENT", "Expected two uint8 batches [n, c, H, W] of one size but received " +
                                               Value(a).describe() + " and " + Value(b).describe());
  if (a.size(2) < kWindow || a.size(3) < kWindow)
    throw LdmError("ERR_INVALID_ARGUMENT", "SSIM needs images of at least 11 x 11 pixels but these have " +
                                               std::to_string(a.size(3)) + " x " + std::to_string(a.size(2)));
}

}  // namespace

/// `compare`: a and b as uint8 [n, c, H, W]; returns psnr in dB (infinite where images are equal) and ssim, float64 [n]
/// each. SSIM has a Gaussian window of 11 x 11 with sigma 1.5, K1 0.01, K2 0.03, uses the window's weights for
/// variances, is taken where the window lies within the image, and is the mean over the channels.
class ImageQuality : public Object {
 public:
  explicit ImageQuality(const Value&) {
    method("compare", [](const Value& args) -> Value {
      const at::Tensor& a = args.tensor("a");
      const at::Tensor& b = args.tensor("b");
      check(a, b);
      std::vector<at::Tensor> psnr, ssim;
      // One image at a time: float64 planes take eight times the images' memory, several times over.
      for (int64_t i = 0; i < a.size(0); ++i) {
        poll();
        const at::Tensor x = a[i].to(at::kDouble).unsqueeze(1), y = b[i].to(at::kDouble).unsqueeze(1);
        psnr.push_back(10 * at::log10(kPeak * kPeak / (x - y).square().mean()));
        ssim.push_back(similarityOfPlanes(x, y).mean());
      }
      return Map{{"psnr", at::stack(psnr)}, {"ssim", at::stack(ssim)}};
    });
  }
};

REGISTER("node_ldm.evaluation.ImageQuality", ImageQuality);

}  // namespace ldm
