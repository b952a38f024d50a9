"""Pictures to the mode of their posterior."""

import torch
from autoencoder import AutoencoderKL
from deterministic import fill, inputs


def setup(settings, side):
    c = settings["config"]
    model = fill(AutoencoderKL(c["ddconfig"], c["embed_dim"])).eval().to(side.device)
    if side.compile:
        model.encoder.compile()
    pixels = inputs("images", settings["shape"])

    @torch.no_grad()
    def run():
        return {"latent": model.encode(pixels.to(side.device))[0].cpu()}

    return run
