"""DDIM from noise to pictures, with the first stage's decoder."""

import torch
from deterministic import fill, inputs
from latent_diffusion import LatentDiffusion


def setup(settings, side):
    model = fill(LatentDiffusion(settings["config"])).eval().to(side.device)
    if side.compile:
        model.model.diffusion_model.compile()
        model.first_stage_model.decoder.compile()
    noise = inputs("noise", settings["shape"]).to(side.device)
    n, classes = settings["shape"][0], settings["classes"]

    @torch.no_grad()
    def run():
        context = unconditional = None
        if classes:
            # The last class is the one without a name.
            context = model.condition(torch.arange(n, device=side.device) % (classes - 1))
            unconditional = model.condition(torch.full((n,), classes - 1, device=side.device))
        z = model.ddim(noise, settings["steps"], 0.0, context, unconditional, settings["scale"])
        return {"images": ((model.decode(z) + 1) / 2).clamp(0, 1).cpu()}

    return run
