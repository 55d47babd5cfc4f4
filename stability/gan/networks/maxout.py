"""PacGAN's pair for points (Lin 2018): a ReLU generator against a discriminator of maxout units.

`width` and `activation` have no effect. A norm in the discriminator normalises the outputs of the second
and third maxout layer; their biases stay, since it cannot undo what differs between the pieces of a unit.
"""

from __future__ import annotations

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

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

GENERATOR_HIDDEN = (400, 400, 400, 400)
DISCRIMINATOR_HIDDEN = (200, 200, 200)
PIECES = 5


class Maxout(nn.Module):
    """The largest of `pieces` numbers per unit (Goodfellow 2013); unit u has columns u, u + units, ..."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, x: Float[Tensor, "*batch columns"]) -> Float[Tensor, "*batch units"]:
        """Take the largest; where several are, they share the gradient."""
        return x.reshape(*x.shape[:-1], self.pieces, -1).amax(-2)


def _generator(config: Config, image: ImageShape) -> nn.Module:
    own = config.generator
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise([inputs(config, image), *GENERATOR_HIDDEN]):
        layers += [Linear(fan_in, fan_out, bias=needs_bias(own.norm)), *norm_1d(own.norm, fan_out)]
        layers += [hidden(own, "relu"), *dropout(own, fan_out)]
    layers += [Linear(GENERATOR_HIDDEN[-1], image.pixels), *squash(image)]
    return ShapedRows(nn.Sequential(*layers), (image.channels, image.size, image.size))


def _discriminator(config: Config, image: ImageShape) -> nn.Module:
    own = config.discriminator
    layers: list[nn.Module] = [nn.Flatten(IMAGE)]
    for depth, (fan_in, units) in enumerate(pairwise([image.pixels, *DISCRIMINATOR_HIDDEN])):
        layers += [Linear(fan_in, PIECES * units), Maxout(PIECES)]
        layers += [*norm_1d(own.norm if depth > 0 else "none", units), *dropout(own, units)]
    told = [MinibatchStd(maps=False)] if config.minibatch_std else []
    layers += [*told, Linear(DISCRIMINATOR_HIDDEN[-1] + len(told), 1)]
    return ShapedRows(nn.Sequential(*layers), ())


MAXOUT = Pair(_generator, _discriminator)
