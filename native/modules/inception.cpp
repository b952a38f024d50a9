#include "inception.h"

#include <ATen/ATen.h>

#include <array>
#include <vector>

#include "../core/context.h"
#include "../core/random.h"
#include "../core/registry.h"

namespace ldm {

namespace {
constexpr int64_t kSide = 299;
constexpr int64_t kFeatures = 2048;
constexpr int64_t kClasses = 1008;
constexpr double kEps = 1e-3;

using Size = std::array<int64_t, 2>;

/// A convolution without bias whose kernel need not be square.
class KernelConv : public Layer {
 public:
  KernelConv(int64_t in, int64_t out, Size kernel, int64_t stride, Size padding) : stride_(stride), padding_(padding) {
    weight_ = parameter("weight", at::zeros({out, in, kernel[0], kernel[1]}));
  }
  at::Tensor forward(const at::Tensor& x) override {
    return at::conv2d(x, weight_, {}, at::IntArrayRef{stride_, stride_}, padding_);
  }

 private:
  at::Tensor weight_;
  int64_t stride_;
  Size padding_;
};

struct ConvShape {
  Size kernel{1, 1};
  int64_t stride = 1;
  Size padding{0, 0};
};
constexpr ConvShape k1x1{};
constexpr ConvShape k3x3{{3, 3}};
constexpr ConvShape k3x3Padded{{3, 3}, 1, {1, 1}};
constexpr ConvShape k3x3Strided{{3, 3}, 2};
constexpr ConvShape k5x5Padded{{5, 5}, 1, {2, 2}};
constexpr ConvShape k1x7{{1, 7}, 1, {0, 3}};
constexpr ConvShape k7x1{{7, 1}, 1, {3, 0}};
constexpr ConvShape k1x3{{1, 3}, 1, {0, 1}};
constexpr ConvShape k3x1{{3, 1}, 1, {1, 0}};

/// torchvision's BasicConv2d: convolution, batch normalization, ReLU.
class BasicConv2d : public Layer {
 public:
  BasicConv2d(int64_t in, int64_t out, const ConvShape& s) {
    conv_ = child("conv", std::make_shared<KernelConv>(in, out, s.kernel, s.stride, s.padding));
    bn_ = child("bn", std::make_shared<BatchNorm2d>(out, kEps));
  }
  at::Tensor forward(const at::Tensor& x) override { return at::relu(bn_->forward(conv_->forward(x))); }

 private:
  std::shared_ptr<KernelConv> conv_;
  std::shared_ptr<BatchNorm2d> bn_;
};

at::Tensor averagePool(const at::Tensor& x) {
  return at::avg_pool2d(x, {3, 3}, {1, 1}, {1, 1}, /*ceil_mode=*/false, /*count_include_pad=*/false);
}
at::Tensor halvingMaxPool(const at::Tensor& x) { return at::max_pool2d(x, {3, 3}, {2, 2}); }

/// A block of parallel branches; its convolutions are made in the reference's order.
class Block : public Layer {
 protected:
  std::shared_ptr<BasicConv2d> conv(const char* name, int64_t in, int64_t out, const ConvShape& shape) {
    return child(name, std::make_shared<BasicConv2d>(in, out, shape));
  }
  static at::Tensor through(at::Tensor x, std::initializer_list<std::shared_ptr<BasicConv2d>> convs) {
    for (const auto& c : convs) x = c->forward(x);
    return x;
  }
};

class InceptionA : public Block {
 public:
  InceptionA(int64_t in, int64_t poolFeatures) {
    one_ = conv("branch1x1", in, 64, k1x1);
    five1_ = conv("branch5x5_1", in, 48, k1x1);
    five2_ = conv("branch5x5_2", 48, 64, k5x5Padded);
    double1_ = conv("branch3x3dbl_1", in, 64, k1x1);
    double2_ = conv("branch3x3dbl_2", 64, 96, k3x3Padded);
    double3_ = conv("branch3x3dbl_3", 96, 96, k3x3Padded);
    pool_ = conv("branch_pool", in, poolFeatures, k1x1);
  }
  at::Tensor forward(const at::Tensor& x) override {
    return at::cat({one_->forward(x), through(x, {five1_, five2_}), through(x, {double1_, double2_, double3_}),
                    pool_->forward(averagePool(x))},
                   1);
  }

 private:
  std::shared_ptr<BasicConv2d> one_, five1_, five2_, double1_, double2_, double3_, pool_;
};

class InceptionB : public Block {
 public:
  explicit InceptionB(int64_t in) {
    three_ = conv("branch3x3", in, 384, k3x3Strided);
    double1_ = conv("branch3x3dbl_1", in, 64, k1x1);
    double2_ = conv("branch3x3dbl_2", 64, 96, k3x3Padded);
    double3_ = conv("branch3x3dbl_3", 96, 96, k3x3Strided);
  }
  at::Tensor forward(const at::Tensor& x) override {
    return at::cat({three_->forward(x), through(x, {double1_, double2_, double3_}), halvingMaxPool(x)}, 1);
  }

 private:
  std::shared_ptr<BasicConv2d> three_, double1_, double2_, double3_;
};

class InceptionC : public Block {
 public:
  InceptionC(int64_t in, int64_t c7) {
    one_ = conv("branch1x1", in, 192, k1x1);
    seven1_ = conv("branch7x7_1", in, c7, k1x1);
    seven2_ = conv("branch7x7_2", c7, c7, k1x7);
    seven3_ = conv("branch7x7_3", c7, 192, k7x1);
    double1_ = conv("branch7x7dbl_1", in, c7, k1x1);
    double2_ = conv("branch7x7dbl_2", c7, c7, k7x1);
    double3_ = conv("branch7x7dbl_3", c7, c7, k1x7);
    double4_ = conv("branch7x7dbl_4", c7, c7, k7x1);
    double5_ = conv("branch7x7dbl_5", c7, 192, k1x7);
    pool_ = conv("branch_pool", in, 192, k1x1);
  }
  at::Tensor forward(const at::Tensor& x) override {
    return at::cat({one_->forward(x), through(x, {seven1_, seven2_, seven3_}),
                    through(x, {double1_, double2_, double3_, double4_, double5_}), pool_->forward(averagePool(x))},
                   1);
  }

 private:
  std::shared_ptr<BasicConv2d> one_, seven1_, seven2_, seven3_, double1_, double2_, double3_, double4_, double5_, pool_;
};

class InceptionD : public Block {
 public:
  explicit InceptionD(int64_t in) {
    three1_ = conv("branch3x3_1", in, 192, k1x1);
    three2_ = conv("branch3x3_2", 192, 320, k3x3Strided);
    seven1_ = conv("branch7x7x3_1", in, 192, k1x1);
    seven2_ = conv("branch7x7x3_2", 192, 192, k1x7);
    seven3_ = conv("branch7x7x3_3", 192, 192, k7x1);
    seven4_ = conv("branch7x7x3_4", 192, 192, k3x3Strided);
  }
  at::Tensor forward(const at::Tensor& x) override {
    return at::cat(
        {through(x, {three1_, three2_}), through(x, {seven1_, seven2_, seven3_, seven4_}), halvingMaxPool(x)}, 1);
  }

 private:
  std::shared_ptr<BasicConv2d> three1_, three2_, seven1_, seven2_, seven3_, seven4_;
};

class InceptionE : public Block {
 public:
  InceptionE(int64_t in, bool maxPool) : maxPool_(maxPool) {
    one_ = conv("branch1x1", in, 320, k1x1);
    three1_ = conv("branch3x3_1", in, 384, k1x1);
    three2a_ = conv("branch3x3_2a", 384, 384, k1x3);
    three2b_ = conv("branch3x3_2b", 384, 384, k3x1);
    double1_ = conv("branch3x3dbl_1", in, 448, k1x1);
    double2_ = conv("branch3x3dbl_2", 448, 384, k3x3Padded);
    double3a_ = conv("branch3x3dbl_3a", 384, 384, k1x3);
    double3b_ = conv("branch3x3dbl_3b", 384, 384, k3x1);
    pool_ = conv("branch_pool", in, 192, k1x1);
  }
  at::Tensor forward(const at::Tensor& x) override {
    const at::Tensor three = three1_->forward(x);
    const at::Tensor twice = through(x, {double1_, double2_});
    const at::Tensor pooled = maxPool_ ? at::max_pool2d(x, {3, 3}, {1, 1}, {1, 1}) : averagePool(x);
    return at::cat({one_->forward(x), three2a_->forward(three), three2b_->forward(three), double3a_->forward(twice),
                    double3b_->forward(twice), pool_->forward(pooled)},
                   1);
  }

 private:
  bool maxPool_;
  std::shared_ptr<BasicConv2d> one_, three1_, three2a_, three2b_, double1_, double2_, double3a_, double3b_, pool_;
};

/// One axis of TensorFlow 1.x's bilinear resize.
struct TensorFlowAxis {
  at::Tensor low, high, fraction;
  TensorFlowAxis(int64_t in, int64_t out, const at::TensorOptions& options) {
    const auto at_ =
        at::arange(out, options) * at::full({}, static_cast<double>(in) / static_cast<double>(out), options);
    low = at_.to(at::kLong);
    high = (low + 1).clamp_max(in - 1);
    fraction = at_ - low.to(options.dtype());
  }
};

at::Tensor resizeLikeTensorFlow(const at::Tensor& x) {
  const TensorFlowAxis rows(x.size(2), kSide, x.options());
  const TensorFlowAxis columns(x.size(3), kSide, x.options());
  const auto across = [&](const at::Tensor& line) {
    const at::Tensor left = line.index_select(3, columns.low);
    return left + (line.index_select(3, columns.high) - left) * columns.fraction;
  };
  const at::Tensor top = across(x.index_select(2, rows.low));
  const at::Tensor bottom = across(x.index_select(2, rows.high));
  return top + (bottom - top) * rows.fraction.unsqueeze(1);
}

at::Tensor networkInput(const at::Tensor& images, InceptionResize resize) {
  const at::Tensor x = images.to(at::kFloat);
  if (resize == InceptionResize::kTensorFlow) return (resizeLikeTensorFlow(x) - 128) / 128;
  return 2 * at::upsample_bilinear2d(x / 255, {kSide, kSide}, /*align_corners=*/false) - 1;
}

InceptionResize resizeFromName(const std::string& name) {
  if (name == "tensorflow") return InceptionResize::kTensorFlow;
  if (name == "half-pixel") return InceptionResize::kHalfPixel;
  throw LdmError("ERR_INVALID_ARGUMENT", "Expected 'tensorflow' or 'half-pixel' as resize but received '" + name + "'");
}

}  // namespace

InceptionV3::InceptionV3(const Value&) {
  const auto layer = [this](const char* name, std::shared_ptr<Layer> l) {
    layers_.push_back(child(name, std::move(l)));
  };
  const auto maxPool = [this] { layers_.push_back(std::make_shared<Activation>(halvingMaxPool)); };
  layer("Conv2d_1a_3x3", std::make_shared<BasicConv2d>(3, 32, k3x3Strided));
  layer("Conv2d_2a_3x3", std::make_shared<BasicConv2d>(32, 32, k3x3));
  layer("Conv2d_2b_3x3", std::make_shared<BasicConv2d>(32, 64, k3x3Padded));
  maxPool();
  layer("Conv2d_3b_1x1", std::make_shared<BasicConv2d>(64, 80, k1x1));
  layer("Conv2d_4a_3x3", std::make_shared<BasicConv2d>(80, 192, k3x3));
  maxPool();
  layer("Mixed_5b", std::make_shared<InceptionA>(192, 32));
  layer("Mixed_5c", std::make_shared<InceptionA>(256, 64));
  layer("Mixed_5d", std::make_shared<InceptionA>(288, 64));
  layer("Mixed_6a", std::make_shared<InceptionB>(288));
  layer("Mixed_6b", std::make_shared<InceptionC>(768, 128));
  layer("Mixed_6c", std::make_shared<InceptionC>(768, 160));
  layer("Mixed_6d", std::make_shared<InceptionC>(768, 160));
  layer("Mixed_6e", std::make_shared<InceptionC>(768, 192));
  layer("Mixed_7a", std::make_shared<InceptionD>(768));
  layer("Mixed_7b", std::make_shared<InceptionE>(1280, /*maxPool=*/false));
  layer("Mixed_7c", std::make_shared<InceptionE>(2048, /*maxPool=*/true));
  fc_ = child("fc", std::make_shared<Linear>(kFeatures, kClasses))->zeroed();
  requiresGrad(false);
  Module::train(false);
  method("features", [this](const Value& args) -> Value {
    return Map{{"features", features(args.tensor("images"), resizeFromName(args.string("resize")))}};
  });
}

void InceptionV3::train(bool) { Module::train(false); }

at::Tensor InceptionV3::forward(at::Tensor x) {
  for (const auto& layer : layers_) {
    poll();
    x = layer->forward(x);
  }
  return x.mean(at::IntArrayRef{2, 3});
}

at::Tensor InceptionV3::features(const at::Tensor& images, InceptionResize resize) {
  if (images.dim() != 4 || images.size(1) != 3 || images.scalar_type() != at::kByte)
    throw LdmError("ERR_INVALID_ARGUMENT",
                   "Expected images as uint8 [n, 3, H, W] but received " + Value(images).describe());
  return forward(networkInput(images, resize));
}

REGISTER("node_ldm.evaluation.InceptionV3", InceptionV3);

}  // namespace ldm
