"""LPIPSWithDiscriminator of the reference: L1 and LPIPS (Zhang et al. 2018) against a PatchGAN discriminator (Isola et al. 2017)
with the adaptive weight of Esser et al. 2021, in plain torch.nn under the reference's key names."""

import torch
from torch import nn
from torch.nn import functional as F

CHANNELS = (64, 128, 256, 512, 512)
CONVOLUTIONS = (2, 2, 3, 3, 3)


class Vgg16(nn.Module):
    def __init__(self):
        super().__init__()
        number, inside = 0, 3
        for i, (channels, count) in enumerate(zip(CHANNELS, CONVOLUTIONS)):
            layers = nn.Sequential()
            if i > 0:
                layers.add_module(str(number), nn.MaxPool2d(2))
                number += 1
            for _ in range(count):
                layers.add_module(str(number), nn.Conv2d(inside, channels, 3, padding=1))
                layers.add_module(str(number + 1), nn.ReLU(inplace=True))
                number, inside = number + 2, channels
            setattr(self, f"slice{i + 1}", layers)

    def forward(self, x):
        features = []
        for i in range(5):
            x = getattr(self, f"slice{i + 1}")(x)
            features.append(x)
        return features


class Head(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.model = nn.Sequential(nn.Dropout(), nn.Conv2d(channels, 1, 1, bias=False))


class ScalingLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188])[None, :, None, None])
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450])[None, :, None, None])

    def forward(self, x):
        return (x - self.shift) / self.scale


class LPIPS(nn.Module):
    def __init__(self):
        super().__init__()
        self.scaling_layer = ScalingLayer()
        self.net = Vgg16()
        for i, channels in enumerate(CHANNELS):
            setattr(self, f"lin{i}", Head(channels))
        self.requires_grad_(False)

    def forward(self, x, y):
        value = 0
        for i, pair in enumerate(zip(self.net(self.scaling_layer(x)), self.net(self.scaling_layer(y)))):
            a, b = (f / (f.pow(2).sum(dim=1, keepdim=True).sqrt() + 1e-10) for f in pair)
            value = value + getattr(self, f"lin{i}").model((a - b) ** 2).mean([2, 3], keepdim=True)
        return value


class NLayerDiscriminator(nn.Module):
    def __init__(self, channels, layers):
        super().__init__()
        width = lambda n: 64 * min(2**n, 8)
        main = [nn.Conv2d(channels, 64, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        inside = 64
        for n, stride in [(n, 2) for n in range(1, layers)] + [(layers, 1)]:
            main += [
                nn.Conv2d(inside, width(n), 4, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(width(n)),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            inside = width(n)
        self.main = nn.Sequential(*main, nn.Conv2d(inside, 1, 4, padding=1))

    def forward(self, x):
        return self.main(x)


class LPIPSWithDiscriminator(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.perceptual_loss = LPIPS()
        self.logvar = nn.Parameter(torch.zeros(()))
        self.discriminator = NLayerDiscriminator(c["disc_in_channels"], c["disc_num_layers"])

    def forward(self, turn, x, reconstruction, posterior, step, last_layer):
        """Loss of a turn (0: autoencoder, 1: discriminator), and what the bench compares."""
        c = self.c
        rec = (x - reconstruction).abs()
        if c["perceptual_weight"] > 0:
            # In both turns, as the reference has it.
            rec = rec + c["perceptual_weight"] * self.perceptual_loss(x, reconstruction)
        nll = (rec / self.logvar.exp() + self.logvar).sum() / x.shape[0]
        mean, logvar = posterior
        kl = 0.5 * (mean**2 + logvar.exp() - 1.0 - logvar).sum() / x.shape[0]
        factor = c["disc_factor"] if step >= c["disc_start"] else 0.0
        if turn == 1:
            real, fake = self.discriminator(x.detach()), self.discriminator(reconstruction.detach())
            return factor * 0.5 * (F.relu(1.0 - real).mean() + F.relu(1.0 + fake).mean()), {}
        g_loss = -self.discriminator(reconstruction).mean()
        weight = torch.tensor(0.0)
        if c["disc_factor"] > 0:
            nll_gradient = torch.autograd.grad(nll, last_layer, retain_graph=True)[0]
            g_gradient = torch.autograd.grad(g_loss, last_layer, retain_graph=True)[0]
            weight = (nll_gradient.norm() / (g_gradient.norm() + 1e-4)).clamp(0.0, 1e4).detach() * c["disc_weight"]
        return nll + c["kl_weight"] * kl + weight * factor * g_loss, {"rec_loss": rec.mean(), "kl_loss": kl}
