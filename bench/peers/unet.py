"""UNetModel (Dhariwal & Nichol 2021; with transformers: Rombach et al. 2022) in plain torch.nn under the reference's key names.

As in the reference, attention and transformer blocks are computed anew in the backward pass.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


def recomputed(fn, *args):
    if not torch.is_grad_enabled():
        return fn(*args)
    return checkpoint(fn, *args, use_reentrant=False, preserve_rng_state=False)


def timestep_embedding(t, width):
    half = width // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32, device=t.device) / half)
    angles = t[:, None].float() * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class Upsample(nn.Module):
    def __init__(self, channels, convolve):
        super().__init__()
        if convolve:
            self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        return self.conv(x) if hasattr(self, "conv") else x


class Downsample(nn.Module):
    def __init__(self, channels, convolve):
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1) if convolve else nn.AvgPool2d(2)

    def forward(self, x):
        return self.op(x)


class ResBlock(nn.Module):
    def __init__(self, c, inside, outside, resample=None):
        super().__init__()
        embedding = c["model_channels"] * 4
        self.scale_shift = c["use_scale_shift_norm"]
        self.checkpointed = c["use_checkpoint"]
        self.in_layers = nn.Sequential(
            nn.GroupNorm(32, inside), nn.SiLU(), nn.Conv2d(inside, outside, 3, padding=1)
        )
        self.resample = resample is not None
        if self.resample:
            self.h_upd, self.x_upd = resample(inside, False), resample(inside, False)
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, outside * (2 if self.scale_shift else 1)))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(32, outside), nn.SiLU(), nn.Dropout(c["dropout"]), nn.Conv2d(outside, outside, 3, padding=1)
        )
        self.skip_connection = nn.Identity() if inside == outside else nn.Conv2d(inside, outside, 1)

    def forward(self, x, emb):
        return recomputed(self.compute, x, emb) if self.checkpointed else self.compute(x, emb)

    def compute(self, x, emb):
        if self.resample:
            norm, silu, conv = self.in_layers
            h = conv(self.h_upd(silu(norm(x))))
            x = self.x_upd(x)
        else:
            h = self.in_layers(x)
        emb = self.emb_layers(emb)[:, :, None, None]
        if self.scale_shift:
            scale, shift = emb.chunk(2, dim=1)
            h = self.out_layers[1:](self.out_layers[0](h) * (1 + scale) + shift)
        else:
            h = self.out_layers(h + emb)
        return self.skip_connection(x) + h


class AttentionBlock(nn.Module):
    def __init__(self, channels, heads):
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(32, channels)
        self.qkv = nn.Conv1d(channels, channels * 3, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x):
        return recomputed(self.compute, x)

    def compute(self, x):
        b, c, height, width = x.shape
        x = x.reshape(b, c, -1)
        size = c // self.heads
        q, k, v = self.qkv(self.norm(x)).reshape(b * self.heads, size * 3, -1).split(size, dim=1)
        scale = size**-0.25
        weights = torch.einsum("bct,bcs->bts", q * scale, k * scale).softmax(dim=-1)
        h = self.proj_out(torch.einsum("bts,bcs->bct", weights, v).reshape(b, c, -1))
        return (x + h).reshape(b, c, height, width)


class CrossAttention(nn.Module):
    def __init__(self, width, context_width, heads, size):
        super().__init__()
        self.heads, self.scale = heads, size**-0.5
        self.to_q = nn.Linear(width, heads * size, bias=False)
        self.to_k = nn.Linear(context_width, heads * size, bias=False)
        self.to_v = nn.Linear(context_width, heads * size, bias=False)
        self.to_out = nn.Sequential(nn.Linear(heads * size, width), nn.Dropout(0.0))

    def split(self, x):
        b, n, _ = x.shape
        return x.reshape(b, n, self.heads, -1).permute(0, 2, 1, 3).reshape(b * self.heads, n, -1)

    def forward(self, x, context=None):
        context = x if context is None else context
        q, k, v = self.split(self.to_q(x)), self.split(self.to_k(context)), self.split(self.to_v(context))
        weights = (torch.einsum("bid,bjd->bij", q, k) * self.scale).softmax(dim=-1)
        out = torch.einsum("bij,bjd->bid", weights, v)
        b, n, _ = x.shape
        return self.to_out(out.reshape(b, self.heads, n, -1).permute(0, 2, 1, 3).reshape(b, n, -1))


class GEGLU(nn.Module):
    def __init__(self, inside, outside):
        super().__init__()
        self.proj = nn.Linear(inside, outside * 2)

    def forward(self, x):
        x, gate = self.proj(x).chunk(2, dim=-1)
        return x * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.net = nn.Sequential(GEGLU(width, width * 4), nn.Dropout(0.0), nn.Linear(width * 4, width))

    def forward(self, x):
        return self.net(x)


class TransformerBlock(nn.Module):
    def __init__(self, width, context_width, heads, size):
        super().__init__()
        self.attn1 = CrossAttention(width, width, heads, size)
        self.ff = FeedForward(width)
        self.attn2 = CrossAttention(width, context_width, heads, size)
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x, context):
        return recomputed(self.compute, x, context)

    def compute(self, x, context):
        x = self.attn1(self.norm1(x)) + x
        x = self.attn2(self.norm2(x), context) + x
        return self.ff(self.norm3(x)) + x


class SpatialTransformer(nn.Module):
    def __init__(self, c, channels, heads, size):
        super().__init__()
        self.norm = nn.GroupNorm(32, channels, eps=1e-6)
        self.proj_in = nn.Conv2d(channels, heads * size, 1)
        self.transformer_blocks = nn.ModuleList(
            TransformerBlock(heads * size, c["context_dim"], heads, size) for _ in range(c["transformer_depth"])
        )
        self.proj_out = nn.Conv2d(heads * size, channels, 1)

    def forward(self, x, context):
        b, _, height, width = x.shape
        h = self.proj_in(self.norm(x)).flatten(2).transpose(1, 2)
        for block in self.transformer_blocks:
            h = block(h, context)
        return x + self.proj_out(h.transpose(1, 2).reshape(b, -1, height, width))


class Stage(nn.Sequential):
    def forward(self, x, emb, context):
        for layer in self:
            if isinstance(layer, ResBlock):
                x = layer(x, emb)
            elif isinstance(layer, SpatialTransformer):
                x = layer(x, context)
            else:
                x = layer(x)
        return x


class UNetModel(nn.Module):
    """@param c the params of an official config with every default filled in; options of other models are not known here."""

    def __init__(self, c):
        super().__init__()
        self.c = c
        width = c["model_channels"]
        self.time_embed = nn.Sequential(nn.Linear(width, width * 4), nn.SiLU(), nn.Linear(width * 4, width * 4))
        blocks = [Stage(nn.Conv2d(c["in_channels"], width, 3, padding=1))]
        widths, channels, reduction = [width], width, 1
        levels = list(enumerate(c["channel_mult"]))
        for level, mult in levels:
            for _ in range(c["num_res_blocks"]):
                layers = [ResBlock(c, channels, mult * width)]
                channels = mult * width
                if reduction in c["attention_resolutions"]:
                    layers.append(self.attention(channels))
                blocks.append(Stage(*layers))
                widths.append(channels)
            if level < len(levels) - 1:
                blocks.append(Stage(self.resampler(channels, Downsample)))
                widths.append(channels)
                reduction *= 2
        self.input_blocks = nn.ModuleList(blocks)
        self.middle_block = Stage(
            ResBlock(c, channels, channels), self.attention(channels), ResBlock(c, channels, channels)
        )
        blocks = []
        for level, mult in reversed(levels):
            for i in range(c["num_res_blocks"] + 1):
                layers = [ResBlock(c, channels + widths.pop(), mult * width)]
                channels = mult * width
                if reduction in c["attention_resolutions"]:
                    layers.append(self.attention(channels))
                if level > 0 and i == c["num_res_blocks"]:
                    layers.append(self.resampler(channels, Upsample))
                    reduction //= 2
                blocks.append(Stage(*layers))
        self.output_blocks = nn.ModuleList(blocks)
        self.out = nn.Sequential(
            nn.GroupNorm(32, channels), nn.SiLU(), nn.Conv2d(width, c["out_channels"], 3, padding=1)
        )

    def attention(self, channels):
        c = self.c
        heads = c["num_heads"] if c["num_head_channels"] == -1 else channels // c["num_head_channels"]
        if c["use_spatial_transformer"]:
            return SpatialTransformer(c, channels, heads, channels // heads)
        return AttentionBlock(channels, heads)

    def resampler(self, channels, kind):
        return ResBlock(self.c, channels, channels, kind) if self.c["resblock_updown"] else kind(channels, True)

    def forward(self, x, t, context=None):
        emb = self.time_embed(timestep_embedding(t, self.c["model_channels"]))
        h, kept = x, []
        for block in self.input_blocks:
            h = block(h, emb, context)
            kept.append(h)
        h = self.middle_block(h, emb, context)
        for block in self.output_blocks:
            h = block(torch.cat([h, kept.pop()], dim=1), emb, context)
        return self.out(h)
