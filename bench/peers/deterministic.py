"""Values that follow from a tensor's name, its shape and a seed alone, so that both sides of the bench hold the same weights
and inputs without a file between them (native/core/detweights.h gives the same numbers)."""

import math

import torch

GOLDEN = 0x9E3779B97F4A7C15
CHUNK = 1 << 18
SEED = 1


def signed(value):
    """The 64 bits of an unsigned number as torch's int64 has them."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def shifted(z, bits):
    """Shift to the right that brings in zeros."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def unit_values(name, count, seed):
    """Float64 values in (-1, 1): splitmix64 over FNV-1a of the name. Yields chunks, which stay in the cache."""
    start = 0xCBF29CE484222325
    for byte in name.encode():
        start = ((start ^ byte) * 0x100000001B3) & ((1 << 64) - 1)
    start ^= (seed * GOLDEN) & ((1 << 64) - 1)
    for begin in range(0, count, CHUNK):
        i = torch.arange(begin + 1, min(begin + CHUNK, count) + 1)
        z = i * signed(GOLDEN) + signed(start)
        z = (z ^ shifted(z, 30)) * signed(0xBF58476D1CE4E5B9)
        z = (z ^ shifted(z, 27)) * signed(0x94D049BB133111EB)
        z = z ^ shifted(z, 31)
        yield (shifted(z, 40).double() + 0.5) * 2.0**-23 - 1.0


def rule(name, shape):
    """Offset and bound of a parameter's values."""
    if len(shape) == 0:
        return 0.0, 0.1
    if len(shape) == 1:
        return (1.0, 0.2) if name.endswith("weight") else (0.0, 0.1)
    fan_in = math.prod(shape[1:])
    vgg = "perceptual_loss.net." in name or name.startswith("net.")
    return 0.0, math.sqrt((6.0 if vgg else 3.0) / fan_in)


def fill(module):
    """Gives every parameter its value; buffers keep theirs."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            offset, bound = rule(name, parameter.shape)
            flat, at = parameter.view(-1), 0
            for values in unit_values(name, flat.numel(), SEED):
                flat[at : at + len(values)] = (values * bound + offset).float()
                at += len(values)
    return module


def inputs(name, shape):
    """Uniform in (-1, 1)."""
    values = torch.cat([v * 0.1 for v in unit_values(name, math.prod(shape), SEED)])
    return (values.float() * 10.0).reshape(shape)
