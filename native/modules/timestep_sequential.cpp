#include "timestep_sequential.h"

#include <ATen/ATen.h>

#include "spatial_transformer.h"

namespace ldm {

void TimestepEmbedSequential::add(std::shared_ptr<Module> module, Step step) {
  child(std::to_string(steps_.size()), module);
  steps_.push_back(std::move(step));
}

void TimestepEmbedSequential::append(std::shared_ptr<TimestepBlock> block) {
  add(block,
      [&b = *block](const at::Tensor& x, const at::Tensor& emb, const at::Tensor&) { return b.forward(x, emb); });
}
void TimestepEmbedSequential::append(std::shared_ptr<SpatialTransformer> transformer) {
  add(transformer, [&t = *transformer](const at::Tensor& x, const at::Tensor&, const at::Tensor& context) {
    return t.forward(x, context);
  });
}
void TimestepEmbedSequential::append(std::shared_ptr<Layer> layer) {
  add(layer, [&l = *layer](const at::Tensor& x, const at::Tensor&, const at::Tensor&) { return l.forward(x); });
}

at::Tensor TimestepEmbedSequential::forward(const at::Tensor& x, const at::Tensor& emb, const at::Tensor& context) {
  at::Tensor h = x;
  for (const auto& step : steps_) {
    poll();
    h = step(h, emb, context);
  }
  return h;
}

}  // namespace ldm
