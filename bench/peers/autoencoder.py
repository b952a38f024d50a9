"""AutoencoderKL (Rombach et al. 2022) in plain torch.nn under the reference's key names."""

import torch
from torch import nn
from torch.nn import functional as F


def norm(channels):
    return nn.GroupNorm(32, channels, eps=1e-6)


def swish(x):
    return x * torch.sigmoid(x)


class ResnetBlock(nn.Module):
    def __init__(self, inside, outside):
        super().__init__()
        self.norm1 = norm(inside)
        self.conv1 = nn.Conv2d(inside, outside, 3, padding=1)
        self.norm2 = norm(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=1)
        if inside != outside:
            self.nin_shortcut = nn.Conv2d(inside, outside, 1)

    def forward(self, x):
        h = self.conv1(swish(self.norm1(x)))
        h = self.conv2(swish(self.norm2(h)))
        return (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x) + h


class AttnBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = norm(channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        h = self.norm(x)
        q, k, v = (f(h).flatten(2) for f in (self.q, self.k, self.v))
        weights = torch.bmm(q.transpose(1, 2), k).mul(x.shape[1] ** -0.5).softmax(2)
        return x + self.proj_out(torch.bmm(v, weights.transpose(1, 2)).reshape(x.shape))


class Downsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Half(nn.Module):
    """What encoder and decoder have in common."""

    def __init__(self, c):
        super().__init__()
        self.levels = len(c["ch_mult"])
        self.attended = c["attn_resolutions"]
        self.attention = {"vanilla": AttnBlock, "none": lambda channels: nn.Identity()}[c["attn_type"]]

    def level(self, channels, widths, resolution):
        level = nn.Module()
        level.block = nn.ModuleList()
        level.attn = nn.ModuleList()
        for width in widths:
            level.block.append(ResnetBlock(channels, width))
            channels = width
            if resolution in self.attended:
                level.attn.append(self.attention(channels))
        return level

    def middle(self, channels):
        self.mid = nn.Module()
        self.mid.block_1 = ResnetBlock(channels, channels)
        self.mid.attn_1 = self.attention(channels)
        self.mid.block_2 = ResnetBlock(channels, channels)

    def run_middle(self, h):
        return self.mid.block_2(self.mid.attn_1(self.mid.block_1(h)))

    @staticmethod
    def run_level(level, h):
        for i, block in enumerate(level.block):
            h = block(h)
            if len(level.attn):
                h = level.attn[i](h)
        return h


class Encoder(Half):
    def __init__(self, c):
        super().__init__(c)
        resolution, channels = c["resolution"], c["ch"]
        self.conv_in = nn.Conv2d(c["in_channels"], channels, 3, padding=1)
        self.down = nn.ModuleList()
        for i, mult in enumerate(c["ch_mult"]):
            level = self.level(channels, [c["ch"] * mult] * c["num_res_blocks"], resolution)
            channels = c["ch"] * mult
            if i < self.levels - 1:
                level.downsample = Downsample(channels)
                resolution //= 2
            self.down.append(level)
        self.middle(channels)
        self.norm_out = norm(channels)
        self.conv_out = nn.Conv2d(channels, (2 if c["double_z"] else 1) * c["z_channels"], 3, padding=1)

    def forward(self, x):
        h = self.conv_in(x)
        for level in self.down:
            h = self.run_level(level, h)
            if hasattr(level, "downsample"):
                h = level.downsample(h)
        return self.conv_out(swish(self.norm_out(self.run_middle(h))))


class Decoder(Half):
    def __init__(self, c):
        super().__init__(c)
        resolution, channels = c["resolution"] >> (self.levels - 1), c["ch"] * c["ch_mult"][-1]
        self.conv_in = nn.Conv2d(c["z_channels"], channels, 3, padding=1)
        self.middle(channels)
        levels = []
        for i in reversed(range(self.levels)):
            width = c["ch"] * c["ch_mult"][i]
            level = self.level(channels, [width] * (c["num_res_blocks"] + 1), resolution)
            channels = width
            if i > 0:
                level.upsample = Upsample(channels)
                resolution *= 2
            levels.insert(0, level)
        self.up = nn.ModuleList(levels)
        self.norm_out = norm(channels)
        self.conv_out = nn.Conv2d(channels, c["out_ch"], 3, padding=1)

    def forward(self, z):
        h = self.run_middle(self.conv_in(z))
        for level in reversed(self.up):
            h = self.run_level(level, h)
            if hasattr(level, "upsample"):
                h = level.upsample(h)
        return self.conv_out(swish(self.norm_out(h)))


class AutoencoderKL(nn.Module):
    def __init__(self, ddconfig, embed_dim):
        super().__init__()
        self.encoder = Encoder(ddconfig)
        self.decoder = Decoder(ddconfig)
        self.quant_conv = nn.Conv2d(2 * ddconfig["z_channels"], 2 * embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(embed_dim, ddconfig["z_channels"], 1)

    def encode(self, x):
        """Mean and clamped log-variance of the posterior."""
        mean, logvar = self.quant_conv(self.encoder(x)).chunk(2, dim=1)
        return mean, logvar.clamp(-30.0, 20.0)

    @staticmethod
    def sample(mean, logvar):
        return mean + torch.exp(0.5 * logvar) * torch.randn(mean.shape).to(mean.device)

    def decode(self, z):
        return self.decoder(self.post_quant_conv(z))
