"""A PyTorch checkpoint into a network that is there."""

import os

import torch
from unet import UNetModel


def setup(settings, side):
    model = UNetModel(settings["config"]).to(side.device)
    file = os.path.join(side.folder, settings["file"])

    def run():
        model.load_state_dict(torch.load(file, map_location="cpu", weights_only=True)["state_dict"])
        state = model.state_dict()
        return {name: state[name] for name in settings["compared"]}

    return run
