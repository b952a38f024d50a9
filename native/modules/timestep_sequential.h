// ldm.modules.diffusionmodules.openaimodel.TimestepEmbedSequential.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <vector>

#include "layers.h"

namespace ldm {

class SpatialTransformer;

/// A layer that takes the embedded timestep besides its input.
class TimestepBlock : public Module {
 public:
  /// @param x [n, channels, ...]
  /// @param emb [n, emb_channels]
  virtual at::Tensor forward(const at::Tensor& x, const at::Tensor& emb) = 0;
};

/// A sequence whose layers each get what they take: the timestep embedding, the context, or neither.
class TimestepEmbedSequential : public Module {
 public:
  void append(std::shared_ptr<TimestepBlock> block);
  void append(std::shared_ptr<SpatialTransformer> transformer);
  void append(std::shared_ptr<Layer> layer);

  at::Tensor forward(const at::Tensor& x, const at::Tensor& emb, const at::Tensor& context);

 private:
  using Step = std::function<at::Tensor(const at::Tensor& x, const at::Tensor& emb, const at::Tensor& context)>;
  void add(std::shared_ptr<Module> module, Step step);
  std::vector<Step> steps_;
};

}  // namespace ldm
