#include "vq_model_interface.h"

#include <ATen/ATen.h>

#include "../core/registry.h"
#include "../training/ema.h"

namespace ldm {

VQModelInterface::VQModelInterface(const Value& params) : ImageAutoencoder(params) {
  const Value& ddconfig = params.get("ddconfig");
  const int64_t embedDim = params.integer("embed_dim"), zChannels = ddconfig.integer("z_channels");
  addCoders(ddconfig);
  addLoss(params.get("lossconfig"));
  quantize_ =
      child("quantize", std::make_shared<VectorQuantizer2>(Map{{"n_e", params.integer("n_embed")},
                                                               {"e_dim", embedDim},
                                                               {"beta", 0.25},
                                                               {"legacy", true},
                                                               {"remap", params.get("remap")},
                                                               {"unknown_index", "random"},
                                                               {"sane_index_shape", params.get("sane_index_shape")}}));
  addLatentConvolutions(zChannels, embedDim, embedDim, zChannels);
  addColorize(params);
  if (params.boolean("use_ema"))
    child("model_ema", std::make_shared<LitEma>(namedParameters(), 0.9999, /*useNumUpdates=*/true));
  method("encode", [this](const Value& args) -> Value { return Map{{"z", encode(args.tensor("x"))}}; });
  method("decode", [this](const Value& args) -> Value {
    return Map{{"x", decodeFirst(args.tensor("z"), args.boolean("forceNotQuantize"))}};
  });
  method("quantize", [this](const Value& args) -> Value {
    Quantized q = quantize_->quantize(args.tensor("z"));
    return Map{{"quant", q.quant}, {"loss", q.loss}, {"indices", q.indices}};
  });
  method("codebookEntry", [this](const Value& args) -> Value {
    return Map{{"quant", codebookEntry(args.tensor("indices"))}};
  });
  method("forward", [this](const Value& args) -> Value {
    return Map{{"reconstructions", decodeFirst(encode(args.tensor("x")), false)}};
  });
}

at::Tensor VQModelInterface::decodeFirst(const at::Tensor& z, bool forceNotQuantize) {
  return ImageAutoencoder::decodeFirst(forceNotQuantize ? z : quantize_->quantize(z).quant, true);
}

REGISTER("ldm.models.autoencoder.VQModelInterface", VQModelInterface);

}  // namespace ldm
