"""Fully connected pairs: `mlp`, of the configured width, and `fully-connected`, of the textbook's sizes.

Images and points are flattened. In the discriminator norms leave out the first layer, as in DCGAN.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from stability.gan.networks.activations import hidden
from stability.gan.networks.layers import (
    IMAGE,
    Linear,
    MinibatchStd,
    ShapedRows,
    dropout,
    inputs,
    needs_bias,
    norm_1d,
    squash,
)
from stability.gan.networks.pair import ImageShape, Pair
from stability.spec.config import Config

TEXTBOOK = (1000, 400, 200)
"""Hidden layers of the fully connected discriminator; the generator has them in reverse."""


def _generator(config: Config, image: ImageShape, sizes: Sequence[int]) -> nn.Module:
    own = config.generator
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise([inputs(config, image), *sizes]):
        layers += [Linear(fan_in, fan_out, bias=needs_bias(own.norm)), *norm_1d(own.norm, fan_out)]
        layers += [hidden(own, "leaky-relu"), *dropout(own, fan_out)]
    layers += [Linear(sizes[-1], image.pixels), *squash(image)]
    return ShapedRows(nn.Sequential(*layers), (image.channels, image.size, image.size))


def _discriminator(config: Config, image: ImageShape, sizes: Sequence[int]) -> nn.Module:
    own = config.discriminator
    layers: list[nn.Module] = [nn.Flatten(IMAGE)]
    for depth, (fan_in, fan_out) in enumerate(pairwise([image.pixels, *sizes])):
        norm = own.norm if depth > 0 else "none"
        layers += [Linear(fan_in, fan_out, bias=needs_bias(norm)), *norm_1d(norm, fan_out)]
        layers += [hidden(own, "leaky-relu"), *dropout(own, fan_out)]
    told = [MinibatchStd(maps=False)] if config.minibatch_std else []
    layers += [*told, Linear(sizes[-1] + len(told), 1)]
    return ShapedRows(nn.Sequential(*layers), ())


def _mlp_generator(config: Config, image: ImageShape) -> nn.Module:
    return _generator(config, image, [config.generator.width * 2**i for i in range(4)])


def _mlp_discriminator(config: Config, image: ImageShape) -> nn.Module:
    return _discriminator(config, image, [config.discriminator.width * 2**i for i in (3, 2, 1)])


def _textbook_generator(config: Config, image: ImageShape) -> nn.Module:
    return _generator(config, image, TEXTBOOK[::-1])


def _textbook_discriminator(config: Config, image: ImageShape) -> nn.Module:
    return _discriminator(config, image, TEXTBOOK)


MLP = Pair(_mlp_generator, _mlp_discriminator)
FULLY_CONNECTED = Pair(_textbook_generator, _textbook_discriminator)
