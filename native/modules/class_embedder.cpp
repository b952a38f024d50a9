#include "class_embedder.h"

#include <ATen/ATen.h>

#include "../core/registry.h"

namespace ldm {

ClassEmbedder::ClassEmbedder(const Value& params) : key_(params.string("key")) {
  embedding_ =
      child("embedding", std::make_shared<Embedding>(params.integer("n_classes"), params.integer("embed_dim")));
}

at::Tensor ClassEmbedder::encode(const Value& input) {
  const at::Tensor& labels = input.isTensor() ? input.asTensor() : input.tensor(key_);
  if (labels.dim() != 1)
    invalid("Class labels must have shape [n], but these have " + std::to_string(labels.dim()) + " dimensions");
  return embedding_->forward(labels.unsqueeze(1));
}

REGISTER("ldm.modules.encoders.modules.ClassEmbedder", ClassEmbedder);

}  // namespace ldm
