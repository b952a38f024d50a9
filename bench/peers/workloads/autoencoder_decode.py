"""Latents to pictures."""

import torch
from autoencoder import AutoencoderKL
from deterministic import fill, inputs


def setup(settings, side):
    c = settings["config"]
    model = fill(AutoencoderKL(c["ddconfig"], c["embed_dim"])).eval().to(side.device)
    if side.compile:
        model.decoder.compile()
    latents = inputs("latents", settings["shape"])

    @torch.no_grad()
    def run():
        return {"image": model.decode(latents.to(side.device)).cpu()}

    return run
