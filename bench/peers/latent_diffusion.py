"""LatentDiffusion of the reference (Rombach et al. 2022) with DDIM (Song et al. 2021), as far as the bench needs it."""

import torch
from torch import nn

from autoencoder import AutoencoderKL
from unet import UNetModel


class Wrapper(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.diffusion_model = UNetModel(c)


class ClassEmbedder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embedding = nn.Embedding(c["n_classes"], c["embed_dim"])

    def forward(self, labels):
        return self.embedding(labels[:, None])


class LatentDiffusion(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.model = Wrapper(c["unet_config"]["params"])
        first = c["first_stage_config"]["params"]
        self.first_stage_model = AutoencoderKL(first["ddconfig"], first["embed_dim"]).requires_grad_(False)
        condition = c["cond_stage_config"]
        if isinstance(condition, dict):
            self.cond_stage_model = ClassEmbedder(condition["params"])
        low, high = c["linear_start"] ** 0.5, c["linear_end"] ** 0.5
        betas = torch.linspace(low, high, c["timesteps"], dtype=torch.float64) ** 2
        self.betas = betas
        self.alphas_cumprod = torch.cumprod(1 - betas, 0)

    def condition(self, labels):
        return self.cond_stage_model(labels) if hasattr(self, "cond_stage_model") else None

    def decode(self, z):
        return self.first_stage_model.decode(z / self.c["scale_factor"])

    def training_loss(self, images, labels):
        """The reference's shared_step: encode, noise, predict; with loss_vlb, which it computes for its log."""
        c = self.c
        with torch.no_grad():
            moments = self.first_stage_model.encode(images)
            z = c["scale_factor"] * self.first_stage_model.sample(*moments)
        t = torch.randint(0, c["timesteps"], (z.shape[0],)).to(z.device)
        context = self.condition(labels)
        noise = torch.randn(z.shape).to(z.device)
        a = self.alphas_cumprod.to(z.device)[t].view(-1, 1, 1, 1)
        noisy = a.sqrt().float() * z + (1 - a).sqrt().float() * noise
        predicted = self.model.diffusion_model(noisy, t, context)
        difference = (noise - predicted).abs() if c["loss_type"] == "l1" else (noise - predicted) ** 2
        simple = difference.mean([1, 2, 3])
        vlb = (self.vlb_weights(z.device)[t] * simple).mean()
        return simple.mean() + c["original_elbo_weight"] * vlb

    def vlb_weights(self, device):
        alphas, cumulative = 1 - self.betas, self.alphas_cumprod
        before = torch.cat([torch.ones(1, dtype=torch.float64), cumulative[:-1]])
        variance = self.betas * (1 - before) / (1 - cumulative)
        weights = self.betas**2 / (2 * variance * alphas * (1 - cumulative))
        weights[0] = weights[1]
        return weights.float().to(device)

    def ddim(self, x, steps, eta=0.0, context=None, unconditional=None, scale=1.0):
        """From noise x to a latent."""
        times = range(1, self.c["timesteps"] + 1, self.c["timesteps"] // steps)
        alphas = self.alphas_cumprod[list(times)]
        before = torch.cat([self.alphas_cumprod[:1], alphas[:-1]])
        for i in reversed(range(len(times))):
            t = torch.full((x.shape[0],), times[i], device=x.device, dtype=torch.long)
            if unconditional is None or scale == 1.0:
                eps = self.model.diffusion_model(x, t, context)
            else:
                both = self.model.diffusion_model(torch.cat([x] * 2), torch.cat([t] * 2), torch.cat([unconditional, context]))
                without, with_ = both.chunk(2)
                eps = without + scale * (with_ - without)
            a, b = alphas[i].item(), before[i].item()
            sigma = eta * ((1 - b) / (1 - a) * (1 - a / b)) ** 0.5
            clean = (x - (1 - a) ** 0.5 * eps) / a**0.5
            # The reference draws the noise also where eta is 0.
            x = b**0.5 * clean + (1 - b - sigma**2) ** 0.5 * eps + sigma * torch.randn(x.shape).to(x.device)
        return x


class Ema:
    """LitEma: the moving average of the U-Net's weights, parameter by parameter."""

    def __init__(self, model, decay=0.9999):
        self.model, self.decay, self.updates = model, decay, 0
        self.shadow = {name: p.detach().clone() for name, p in model.named_parameters()}

    @torch.no_grad()
    def update(self):
        self.updates += 1
        rest = 1.0 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, p in self.model.named_parameters():
            self.shadow[name].sub_(rest * (self.shadow[name] - p))
