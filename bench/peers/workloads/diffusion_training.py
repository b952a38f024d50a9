"""A training step of LatentDiffusion from pictures: frozen first stage, U-Net, AdamW, moving average."""

import torch
from deterministic import fill, inputs
from latent_diffusion import Ema, LatentDiffusion


def setup(settings, side):
    model = fill(LatentDiffusion(settings["config"])).train().to(side.device)
    if side.compile:
        model.model.diffusion_model.compile()
        model.first_stage_model.encoder.compile()
    # The reference's first stage stays in evaluation mode.
    model.first_stage_model.eval()
    trained = list(model.model.parameters())
    if hasattr(model, "cond_stage_model"):
        trained += list(model.cond_stage_model.parameters())
    optimizer = torch.optim.AdamW(trained, lr=settings["learningRate"])
    ema = Ema(model.model)
    images = inputs("images", settings["shape"])
    classes = settings["classes"]
    labels = torch.arange(settings["shape"][0]) % classes if classes else None
    torch.manual_seed(1)

    def run():
        loss = model.training_loss(images.to(side.device), labels if labels is None else labels.to(side.device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ema.update()
        return {"loss": loss.detach().cpu()}

    return run
