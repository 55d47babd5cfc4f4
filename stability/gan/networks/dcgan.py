"""The DCGAN (Radford 2016) for images of 28, 32 or 64 pixels, plain and conditional on the class."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from stability.errors import StabilityError
from stability.gan.networks.activations import hidden
from stability.gan.networks.layers import (
    Linear,
    MinibatchStd,
    Shaped,
    dropout,
    inputs,
    needs_bias,
    norm_2d,
)
from stability.gan.networks.pair import ImageShape, Pair
from stability.spec.config import Config

GRIDS = {28: [7, 14, 28], 32: [4, 8, 16, 32], 64: [4, 8, 16, 32, 64]}
"""Side lengths from the coarsest grid up to the image: each twice the one before."""


def _grids(config: Config, image: ImageShape) -> list[int]:
    if image.size not in GRIDS:
        allowed = ", ".join(map(str, GRIDS))
        raise StabilityError(f"{config.architecture}: images of {image.size} pixels; allowed: {allowed}")
    return GRIDS[image.size]


def _generator(config: Config, image: ImageShape) -> nn.Module:
    own = config.generator
    norm, bias = own.norm, needs_bias(own.norm)
    grids = _grids(config, image)
    maps = [own.width * 2**i for i in reversed(range(len(grids) - 1))]
    first = maps[0] * grids[0] ** 2
    layers: list[nn.Module] = [
        Linear(inputs(config, image), first, bias=bias),
        nn.Unflatten(1, (maps[0], grids[0], grids[0])),
        *norm_2d(norm, maps[0]),
        hidden(own, "relu"),
        *dropout(own, maps[0], grids[0], grids[0]),
    ]
    for (fan_in, fan_out), side in zip(pairwise(maps), grids[1:], strict=False):
        layers += [nn.ConvTranspose2d(fan_in, fan_out, 4, 2, 1, bias=bias), *norm_2d(norm, fan_out)]
        layers += [hidden(own, "relu"), *dropout(own, fan_out, side, side)]
    layers += [nn.ConvTranspose2d(maps[-1], image.channels, 4, 2, 1), nn.Tanh()]
    return Shaped(nn.Sequential(*layers), (image.channels, image.size, image.size))


def _discriminator(config: Config, image: ImageShape) -> nn.Module:
    own = config.discriminator
    grids = list(reversed(_grids(config, image)))
    maps = [image.channels, *(own.width * 2**i for i in range(len(grids) - 1))]
    layers: list[nn.Module] = []
    for depth, (fan_in, fan_out) in enumerate(pairwise(maps)):
        norm = own.norm if depth > 0 else "none"
        layers += [nn.Conv2d(fan_in, fan_out, 4, 2, 1, bias=needs_bias(norm)), *norm_2d(norm, fan_out)]
        layers += [hidden(own, "leaky-relu"), *dropout(own, fan_out, grids[depth + 1], grids[depth + 1])]
    told = [MinibatchStd(maps=True)] if config.minibatch_std else []
    layers += [*told, nn.Flatten(), Linear((maps[-1] + len(told)) * grids[-1] ** 2, 1)]
    return Shaped(nn.Sequential(*layers), ())


DCGAN = Pair(_generator, _discriminator, convolutional=True)
CONDITIONAL = Pair(_generator, _discriminator, convolutional=True, conditional=True)
