"""One evaluation of a U-Net; with guidance, on the unconditional and the conditional batch at once."""

import torch
from deterministic import fill, inputs
from unet import UNetModel


def setup(settings, side):
    model = fill(UNetModel(settings["config"])).eval().to(side.device)
    if side.compile:
        model.compile()
    n = settings["shape"][0]
    x = inputs("latents", settings["shape"]).to(side.device)
    t = torch.full((n,), settings["timestep"], device=side.device)
    context = None
    if settings["context"]:
        context = inputs("context", settings["context"]).to(side.device)

    @torch.no_grad()
    def run():
        eps = model(x, t, context)
        if settings["scale"] != 1:
            without, with_ = eps.chunk(2)
            eps = without + settings["scale"] * (with_ - without)
        return {"eps": eps.cpu()}

    return run
