"""Generators and discriminators, described once per structure and later stacked over a cohort's members.

Batchnorm always normalises by the batch at hand and keeps no running statistics, so that what is evaluated
is what was trained. A layer before a batchnorm has no bias: its true gradient is zero and Adam would amplify
the rounding noise. Dropout multiplies by a mask buffer, so that the mask comes from the run's own stream.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stability.errors import StabilityError
from stability.spec.config import Config

LEAK = 0.2
INIT_STD = 0.02
NORM_EPS = 1e-5


class ImageShape(NamedTuple):
    """Channels and side length of a square image."""

    channels: int
    size: int

    @property
    def pixels(self) -> int:
        """Numbers per image."""
        return self.channels * self.size**2


class MaskDropout(nn.Module):
    """Dropout as a product with the buffer `mask`: ones unless a step fills it, rows as in the batch."""

    mask: Tensor

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("mask", torch.ones(1, *(1 for _ in shape)))

    def forward(self, x: Float[Tensor, "*batch_shape"]) -> Float[Tensor, "*batch_shape"]:
        """Multiply by the mask."""
        return x * self.mask


class FeatureNorm(nn.Module):
    """Batchnorm of `[batch, features]` in elementary operations, equal to `nn.BatchNorm1d` on the batch.

    Under vmap torch's own kernel sees all members' features side by side, and how it sums a column depends
    on how many there are; written out, a member's numbers do not depend on its cohort.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """Normalise every feature over the batch, then scale and shift."""
        centred = x - x.mean(0, keepdim=True)
        spread = torch.rsqrt(centred.square().mean(0, keepdim=True) + NORM_EPS)
        return centred * (spread * self.weight) + self.bias


NORMS = (FeatureNorm, nn.BatchNorm2d)


class Shaped(nn.Module):
    """A stack of layers whose output takes a given shape: an image, or a single logit per example."""

    def __init__(self, body: nn.Sequential, out_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.body = body
        self.out_shape = out_shape

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Run the body, reshape."""
        out: Tensor = self.body(x)
        return out.reshape(x.shape[0], *self.out_shape)


def _norm_1d(use: bool, features: int) -> list[nn.Module]:
    return [FeatureNorm(features)] if use else []


def _norm_2d(use: bool, channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels, track_running_stats=False)] if use else []


def _dropout(config: Config, *shape: int) -> list[nn.Module]:
    return [MaskDropout(*shape)] if config.dropout > 0 else []


def _mlp_generator(config: Config, image: ImageShape) -> nn.Module:
    norm = config.batchnorm in ("generator", "both")
    sizes = [config.latent_dim, *(config.width * 2**i for i in range(4))]
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out, bias=not norm), *_norm_1d(norm, fan_out), nn.LeakyReLU(LEAK)]
    layers += [nn.Linear(sizes[-1], image.pixels), nn.Tanh()]
    return Shaped(nn.Sequential(*layers), (image.channels, image.size, image.size))


def _mlp_discriminator(config: Config, image: ImageShape) -> nn.Module:
    norm = config.batchnorm in ("discriminator", "both")
    sizes = [image.pixels, *(config.width * 2**i for i in (3, 2, 1))]
    layers: list[nn.Module] = [nn.Flatten()]
    for depth, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        here = norm and depth > 0
        layers += [nn.Linear(fan_in, fan_out, bias=not here), *_norm_1d(here, fan_out), nn.LeakyReLU(LEAK)]
        layers += _dropout(config, fan_out)
    layers += [nn.Linear(sizes[-1], 1)]
    return Shaped(nn.Sequential(*layers), ())


def _grids(image: ImageShape) -> list[int]:
    """Side lengths from the coarsest grid up to the image: each twice the one before."""
    sides = {28: [7, 14, 28], 32: [4, 8, 16, 32], 64: [4, 8, 16, 32, 64]}
    if image.size not in sides:
        raise StabilityError(f"dcgan: images of {image.size} pixels; allowed: {', '.join(map(str, sides))}")
    return sides[image.size]


def _dcgan_generator(config: Config, image: ImageShape) -> nn.Module:
    norm = config.batchnorm in ("generator", "both")
    grids = _grids(image)
    maps = [config.width * 2**i for i in reversed(range(len(grids) - 1))]
    first = maps[0] * grids[0] ** 2
    layers: list[nn.Module] = [
        nn.Linear(config.latent_dim, first, bias=not norm),
        nn.Unflatten(1, (maps[0], grids[0], grids[0])),
        *_norm_2d(norm, maps[0]),
        nn.ReLU(),
    ]
    for fan_in, fan_out in pairwise(maps):
        layers += [nn.ConvTranspose2d(fan_in, fan_out, 4, 2, 1, bias=not norm), *_norm_2d(norm, fan_out)]
        layers += [nn.ReLU()]
    layers += [nn.ConvTranspose2d(maps[-1], image.channels, 4, 2, 1), nn.Tanh()]
    return Shaped(nn.Sequential(*layers), (image.channels, image.size, image.size))


def _dcgan_discriminator(config: Config, image: ImageShape) -> nn.Module:
    norm = config.batchnorm in ("discriminator", "both")
    grids = list(reversed(_grids(image)))
    maps = [image.channels, *(config.width * 2**i for i in range(len(grids) - 1))]
    layers: list[nn.Module] = []
    for depth, (fan_in, fan_out) in enumerate(pairwise(maps)):
        here = norm and depth > 0
        layers += [nn.Conv2d(fan_in, fan_out, 4, 2, 1, bias=not here), *_norm_2d(here, fan_out)]
        layers += [nn.LeakyReLU(LEAK), *_dropout(config, fan_out, grids[depth + 1], grids[depth + 1])]
    layers += [nn.Flatten(), nn.Linear(maps[-1] * grids[-1] ** 2, 1)]
    return Shaped(nn.Sequential(*layers), ())


@dataclass(frozen=True, slots=True)
class Pair:
    """How to build one architecture's two networks from a configuration and the image's shape."""

    generator: Callable[[Config, ImageShape], nn.Module]
    """z [batch, latent_dim] -> images [batch, channels, size, size] in [-1, 1]."""
    discriminator: Callable[[Config, ImageShape], nn.Module]
    """Images -> logits [batch]."""
    convolutional: bool


ARCHITECTURES: dict[str, Pair] = {
    "mlp": Pair(_mlp_generator, _mlp_discriminator, convolutional=False),
    "dcgan": Pair(_dcgan_generator, _dcgan_discriminator, convolutional=True),
}


def has_batchnorm(module: nn.Module) -> bool:
    """Whether a network normalises by the batch, so that real and fake must pass it separately."""
    return any(isinstance(part, NORMS) for part in module.modules())


def initial_weights(
    template: nn.Module, *, generator: torch.Generator, dtype: torch.dtype = torch.float32
) -> dict[str, Tensor]:
    """Draw one member's weights as in the DCGAN paper (Radford 2016): N(0, .02), batchnorm scales N(1, .02).

    Biases are 0. Drawn in float32 on the CPU whatever the device, so that a seed means the same weights
    everywhere.
    """
    weights: dict[str, Tensor] = {}
    for path, module in template.named_modules():
        scale_mean = 1.0 if isinstance(module, NORMS) else 0.0
        for name, parameter in module.named_parameters(recurse=False):
            if name == "bias":
                value = torch.zeros(parameter.shape)
            else:
                value = torch.randn(parameter.shape, generator=generator) * INIT_STD + scale_mean
            weights[f"{path}.{name}" if path else name] = value.to(dtype)
    return weights
