// One random source: every random number of the library comes from here, so that runs can be seeded, recorded and
// replayed (docs/architecture.md, "One random source"). No other file calls at::randn, at::rand, at::dropout and the
// like.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <future>
#include <string>
#include <utility>
#include <vector>

#include "object.h"

namespace ldm {

/// How freshly created parameters get their values. Random: the reference's initialisation in its order. Empty: memory
/// is left as it is, because a checkpoint follows (torch.randn calls of constructors still consult the source). Meta:
/// there is no memory at all, only names, shapes and dtypes (torch's meta device), for looking at a model of any size.
enum class InitMode { Random, Empty, Meta };

/// Interface of a random source. Kinds follow the tape: randn, rand, randint, exponential, keepmask.
class RandomSource : public Object {
 public:
  virtual at::Tensor randn(at::IntArrayRef shape, const at::TensorOptions& options) = 0;
  virtual at::Tensor rand(at::IntArrayRef shape, const at::TensorOptions& options) = 0;
  /// Integers in [low, high), int64.
  virtual at::Tensor randint(int64_t low, int64_t high, at::IntArrayRef shape, const at::TensorOptions& options) = 0;
  /// Exponentially distributed with mean 1.
  virtual at::Tensor exponential(at::IntArrayRef shape, const at::TensorOptions& options) = 0;
  /// Dropout keep mask: 1 with probability 1 - p, else 0, in options.dtype().
  virtual at::Tensor keepMask(at::IntArrayRef shape, double p, const at::TensorOptions& options) = 0;
  /// Initialisation draws (in place). A tape ignores them: the reference's tape does not record them.
  virtual void uniform_(at::Tensor& t, double low, double high) = 0;
  virtual void normal_(at::Tensor& t, double mean, double std) = 0;
  /// Consumes what a skipped sub-network would have drawn. kind as above; `param` is p for keepmask.
  virtual void skip(const std::string& kind, at::IntArrayRef shape, const at::TensorOptions& options, double param = 0);
};

/// libtorch's own generator: the reference's stream for the same seed on the same device. For tensors of another device
/// than the generator's numbers are drawn on its own and copied.
class GeneratorSource : public RandomSource {
 public:
  explicit GeneratorSource(at::Generator generator);
  static std::shared_ptr<GeneratorSource> seeded(uint64_t seed, at::Device device);

  at::Tensor randn(at::IntArrayRef shape, const at::TensorOptions& options) override;
  at::Tensor rand(at::IntArrayRef shape, const at::TensorOptions& options) override;
  at::Tensor randint(int64_t low, int64_t high, at::IntArrayRef shape, const at::TensorOptions& options) override;
  at::Tensor exponential(at::IntArrayRef shape, const at::TensorOptions& options) override;
  at::Tensor keepMask(at::IntArrayRef shape, double p, const at::TensorOptions& options) override;
  void skip(const std::string& kind, at::IntArrayRef shape, const at::TensorOptions& options, double param) override;
  void uniform_(at::Tensor& t, double low, double high) override;
  void normal_(at::Tensor& t, double mean, double std) override;
  at::Generator& generator() { return generator_; }

 private:
  /// `options` on the generator's device.
  at::TensorOptions own(const at::TensorOptions& options) const;
  at::Generator generator_;
};

/// Replays given tensors in call order; checks kind and shape; `finish` checks that none is left over.
class TapeSource : public RandomSource {
 public:
  /// Kind and numbers; the numbers may still be in computation.
  using Item = std::pair<std::string, std::shared_future<at::Tensor>>;
  explicit TapeSource(std::vector<Item> items);

  at::Tensor randn(at::IntArrayRef shape, const at::TensorOptions& options) override;
  at::Tensor rand(at::IntArrayRef shape, const at::TensorOptions& options) override;
  at::Tensor randint(int64_t low, int64_t high, at::IntArrayRef shape, const at::TensorOptions& options) override;
  at::Tensor exponential(at::IntArrayRef shape, const at::TensorOptions& options) override;
  at::Tensor keepMask(at::IntArrayRef shape, double p, const at::TensorOptions& options) override;
  void uniform_(at::Tensor& t, double low, double high) override;
  void normal_(at::Tensor& t, double mean, double std) override;
  void finish() const;

 private:
  at::Tensor take(const char* kind, at::IntArrayRef shape, const at::TensorOptions& options);
  std::vector<Item> items_;
  size_t next_ = 0;
};

/// Passes draws on to another source and keeps them as a tape.
class RecorderSource : public RandomSource {
 public:
  explicit RecorderSource(std::shared_ptr<RandomSource> inner);

  at::Tensor randn(at::IntArrayRef shape, const at::TensorOptions& options) override;
  at::Tensor rand(at::IntArrayRef shape, const at::TensorOptions& options) override;
  at::Tensor randint(int64_t low, int64_t high, at::IntArrayRef shape, const at::TensorOptions& options) override;
  at::Tensor exponential(at::IntArrayRef shape, const at::TensorOptions& options) override;
  at::Tensor keepMask(at::IntArrayRef shape, double p, const at::TensorOptions& options) override;
  void uniform_(at::Tensor& t, double low, double high) override;
  void normal_(at::Tensor& t, double mean, double std) override;

 private:
  at::Tensor keep(const char* kind, at::Tensor t);
  std::shared_ptr<RandomSource> inner_;
  std::vector<std::pair<std::string, at::Tensor>> items_;
};

/// The source of the running job (the default generator of `device` when the job brought none).
RandomSource& randomFor(const at::Device& device);

// What modules call.
at::Tensor randn(at::IntArrayRef shape, const at::TensorOptions& options);
at::Tensor randnLike(const at::Tensor& t);
at::Tensor rand(at::IntArrayRef shape, const at::TensorOptions& options);
at::Tensor randint(int64_t low, int64_t high, at::IntArrayRef shape, const at::TensorOptions& options);
at::Tensor exponential(at::IntArrayRef shape, const at::TensorOptions& options);
/// torch.nn.functional.dropout: x * mask / (1 - p) while training, else x itself.
at::Tensor dropout(const at::Tensor& x, double p, bool training);

// Initialisation of fresh parameters, in place and without gradients. Only under InitMode::Random anything is drawn;
// constants are always written, they cost nothing.
void initUniform(at::Tensor t, double low, double high);
void initNormal(at::Tensor t, double mean, double std);
void initConstant(at::Tensor t, double value);
/// torch.nn.init.kaiming_uniform_(t, a=sqrt(5)) as Conv and Linear use it: uniform in +-1/sqrt(fan_in).
void initKaimingUniform(at::Tensor t);

}  // namespace ldm
