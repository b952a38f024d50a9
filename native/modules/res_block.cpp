// After Dhariwal & Nichol 2021 (guided-diffusion), as ldm/modules/diffusionmodules/openaimodel.py has it.
#include "res_block.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "../core/autograd.h"
#include "../core/registry.h"
#include "unet_resample.h"

namespace ldm::unet {

ResBlock::ResBlock(int64_t channels, int64_t embChannels, int64_t outChannels, const ResBlockOptions& options,
                   Resampling resampling)
    : scaleShiftNorm_(options.scaleShiftNorm), checkpoint_(options.checkpoint) {
  const ConvOptions same{.padding = 1, .dims = options.dims};
  inLayers_ = std::make_shared<Sequential>();
  inNorm_ = std::make_shared<GroupNorm>(32, channels, 1e-5, true);
  inLayers_->append(inNorm_);
  inLayers_->append(Activation::silu());
  inLayers_->append(std::make_shared<Conv>(channels, outChannels, 3, same));
  child("in_layers", inLayers_);

  if (resampling == Resampling::Up)
    resample_ = std::make_shared<Upsample>(channels, false, options.dims, channels);
  else if (resampling == Resampling::Down)
    resample_ = std::make_shared<Downsample>(channels, false, options.dims, channels);

  embLayers_ = std::make_shared<Sequential>();
  embLayers_->append(Activation::silu());
  embLayers_->append(std::make_shared<Linear>(embChannels, scaleShiftNorm_ ? 2 * outChannels : outChannels));
  child("emb_layers", embLayers_);

  outLayers_ = std::make_shared<Sequential>();
  outNorm_ = std::make_shared<GroupNorm>(32, outChannels, 1e-5, true);
  outLayers_->append(outNorm_);
  outLayers_->append(Activation::silu());
  outLayers_->append(std::make_shared<Dropout>(options.dropout));
  outLayers_->append(std::make_shared<Conv>(outChannels, outChannels, 3, same)->zeroed());
  child("out_layers", outLayers_);

  if (outChannels != channels) {
    const bool wide = options.wideShortcut;
    const ConvOptions shortcut{.padding = wide ? 1 : 0, .dims = options.dims};
    skip_ = child("skip_connection", std::make_shared<Conv>(channels, outChannels, wide ? 3 : 1, shortcut));
  }
  method("forward", [this](const Value& args) -> Value {
    return Map{{"y", forward(args.tensor("x"), args.tensor("emb"))}};
  });
}

ResBlock::ResBlock(const Value& p)
    : ResBlock(p.integer("channels"), p.integer("emb_channels"),
               p.integer(p.has("out_channels") ? "out_channels" : "channels"),
               ResBlockOptions{.dropout = p.number("dropout"),
                               .dims = p.integer("dims"),
                               .scaleShiftNorm = p.boolean("use_scale_shift_norm"),
                               .checkpoint = p.boolean("use_checkpoint"),
                               .wideShortcut = p.boolean("use_conv")},
               p.boolean("up")     ? Resampling::Up
               : p.boolean("down") ? Resampling::Down
                                   : Resampling::None) {}

at::Tensor ResBlock::forward(const at::Tensor& x, const at::Tensor& emb) {
  if (!checkpoint_ || !at::GradMode::is_enabled()) return compute(x, emb);
  // The graph keeps this block alive: its backward pass computes the block again.
  return ldm::checkpoint([this, self = shared_from_this()](
                             const std::vector<at::Tensor>& inputs) { return compute(inputs[0], inputs[1]); },
                         {x, emb}, parameters());
}

at::Tensor ResBlock::compute(const at::Tensor& x, const at::Tensor& emb) {
  Sequential& in = *inLayers_;
  Sequential& out = *outLayers_;
  at::Tensor h = inNorm_->forwardSilu(x, at::silu);
  at::Tensor residual = x;
  if (resample_) {
    h = resample_->forward(h);
    residual = resample_->forward(x);
  }
  h = in[2].forward(h);

  at::Tensor condition = embLayers_->forward(emb).to(h.scalar_type());
  while (condition.dim() < h.dim()) condition = condition.unsqueeze(-1);
  if (scaleShiftNorm_) {
    const auto scaleAndShift = condition.chunk(2, 1);
    h = outNorm_->forwardModulatedSilu(h, scaleAndShift[0], scaleAndShift[1]);
  } else {
    h = outNorm_->forwardSilu(at::GradMode::is_enabled() ? h + condition : h.add_(condition), at::silu);
  }
  for (size_t i = 2; i < out.size(); ++i) h = out[i].forward(h);
  if (skip_) residual = skip_->forward(residual);
  const bool inPlace = !at::GradMode::is_enabled() && h.scalar_type() == residual.scalar_type();
  return inPlace ? h.add_(residual) : residual + h;
}

REGISTER("ldm.modules.diffusionmodules.openaimodel.ResBlock", ResBlock);

}  // namespace ldm::unet
