"""The GAN of one parameter a side (Mescheder 2018): D(x) = psi x, and G(z) = theta whatever z.

It starts at theta = 1, psi = -1, not at random. Only the losses, penalties and optimisers act on it: width,
batchnorm, dropout and activation have no effect. In more than one dimension, and with packing, psi and theta
are vectors of that start.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stability.gan.networks.layers import Shaped
from stability.gan.networks.pair import ImageShape, Pair
from stability.spec.config import Config


class Slope(nn.Linear):
    """psi x."""

    initial_value = -1.0

    def __init__(self, inputs: int) -> None:
        super().__init__(inputs, 1, bias=False)


class Position(nn.Module):
    """theta, once per row of z."""

    initial_value = 1.0

    def __init__(self, image: ImageShape) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.ones(image.channels, image.size, image.size))

    def forward(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch c h w"]:
        """Repeat theta."""
        return self.theta.expand(z.shape[0], *self.theta.shape)


def _generator(config: Config, image: ImageShape) -> nn.Module:
    return Position(image)


def _discriminator(config: Config, image: ImageShape) -> nn.Module:
    return Shaped(nn.Sequential(nn.Flatten(), Slope(image.pixels)), ())


DIRAC = Pair(_generator, _discriminator)
