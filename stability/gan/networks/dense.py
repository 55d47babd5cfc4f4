"""Fully connected pairs: `mlp`, of the configured width, and `fully-connected`, of the textbook's sizes.

Images and points are flattened. In the discriminator batchnorm leaves out the first layer, as in DCGAN.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from stability.gan.networks.activations import ACTIVATIONS
from stability.gan.networks.layers import (
    IMAGE,
    LEAK,
    Linear,
    ShapedRows,
    dropout,
    inputs,
    norm_1d,
    norm_in_discriminator,
    norm_in_generator,
    squash,
)
from stability.gan.networks.pair import ImageShape, Pair
from stability.spec.config import Config

TEXTBOOK = (1000, 400, 200)
"""Hidden layers of the fully connected discriminator; the generator has them in reverse."""


def _generator(config: Config, image: ImageShape, hidden: Sequence[int]) -> nn.Module:
    norm = norm_in_generator(config)
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise([inputs(config, image), *hidden]):
        layers += [Linear(fan_in, fan_out, bias=not norm), *norm_1d(norm, fan_out), nn.LeakyReLU(LEAK)]
    layers += [Linear(hidden[-1], image.pixels), *squash(image)]
    return ShapedRows(nn.Sequential(*layers), (image.channels, image.size, image.size))


def _discriminator(config: Config, image: ImageShape, hidden: Sequence[int]) -> nn.Module:
    norm = norm_in_discriminator(config)
    activation = ACTIVATIONS[config.activation]
    layers: list[nn.Module] = [nn.Flatten(IMAGE)]
    for depth, (fan_in, fan_out) in enumerate(pairwise([image.pixels, *hidden])):
        here = norm and depth > 0
        layers += [Linear(fan_in, fan_out, bias=not here), *norm_1d(here, fan_out), activation()]
        layers += dropout(config, fan_out)
    layers += [Linear(hidden[-1], 1)]
    return ShapedRows(nn.Sequential(*layers), ())


def _mlp_generator(config: Config, image: ImageShape) -> nn.Module:
    return _generator(config, image, [config.width * 2**i for i in range(4)])


def _mlp_discriminator(config: Config, image: ImageShape) -> nn.Module:
    return _discriminator(config, image, [config.width * 2**i for i in (3, 2, 1)])


def _textbook_generator(config: Config, image: ImageShape) -> nn.Module:
    return _generator(config, image, TEXTBOOK[::-1])


def _textbook_discriminator(config: Config, image: ImageShape) -> nn.Module:
    return _discriminator(config, image, TEXTBOOK)


MLP = Pair(_mlp_generator, _mlp_discriminator)
FULLY_CONNECTED = Pair(_textbook_generator, _textbook_discriminator)
