// Class labels as a single context token: ldm.modules.encoders.modules.ClassEmbedder.
#pragma once

#include <memory>
#include <string>

#include "cond_stage.h"

namespace ldm {

/// One learned embedding per class, used as a sequence of one token in cross-attention (class-conditional ImageNet).
class ClassEmbedder : public CondStage {
 public:
  explicit ClassEmbedder(const Value& params);

  /// @param input int64 labels [n], or a batch that holds them under the `key` option
  /// @return [n, 1, embed_dim]
  at::Tensor encode(const Value& input) override;

 private:
  std::string key_;
  std::shared_ptr<Embedding> embedding_;
};

}  // namespace ldm
