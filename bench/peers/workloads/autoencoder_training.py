"""A training step of AutoencoderKL as PyTorch Lightning 1.4 runs the reference's: each of the two optimizers has a forward
pass of its own, with the other one's parameters frozen."""

import torch
from autoencoder import AutoencoderKL
from deterministic import fill, inputs
from losses import LPIPSWithDiscriminator
from torch import nn


class Model(AutoencoderKL):
    def __init__(self, c):
        super().__init__(c["ddconfig"], c["embed_dim"])
        self.loss = LPIPSWithDiscriminator(c["lossconfig"]["params"])


def setup(settings, side):
    c = settings["config"]
    model = fill(Model(c)).train().to(side.device)
    if side.compile:
        for part in (model.encoder, model.decoder, model.loss.perceptual_loss, model.loss.discriminator):
            part.compile()
    halves = nn.ModuleList([model.encoder, model.decoder, model.quant_conv, model.post_quant_conv])
    groups = [list(halves.parameters()), list(model.loss.discriminator.parameters())]
    optimizers = [torch.optim.Adam(group, lr=settings["learningRate"], betas=(0.5, 0.9)) for group in groups]
    images = inputs("images", settings["shape"])
    step = settings["globalStep"]
    torch.manual_seed(1)

    def run():
        nonlocal step
        x = images.to(side.device)
        outputs = {}
        for turn, optimizer in enumerate(optimizers):
            for i, group in enumerate(groups):
                for p in group:
                    p.requires_grad_(i == turn)
            moments = model.encode(x)
            reconstruction = model.decode(model.sample(*moments))
            last = model.decoder.conv_out.weight
            loss, log = model.loss(turn, x, reconstruction, moments, step, last)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            outputs.update(log)
            outputs[f"loss{turn}"] = loss
        step += 1
        return {name: outputs[name].detach().cpu() for name in settings["compared"]}

    return run
