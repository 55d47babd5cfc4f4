"""Layers that the architectures share, written so that a member's numbers do not depend on its cohort.

Batchnorm always normalises by the batch at hand and keeps no running statistics, so that what is evaluated
is what was trained. A layer before a batchnorm has no bias: its true gradient is zero and Adam would amplify
the rounding noise. Dropout multiplies by a mask buffer, so that the mask comes from the run's own stream.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stability.gan.networks.pair import ImageShape
from stability.gan.products import product
from stability.spec.config import Config

LEAK = 0.2
NORM_EPS = 1e-5
IMAGE = -3
"""The first of an image's axes: what is flattened from there on may be a batch or a stack of them."""


class Linear(nn.Linear):
    """`nn.Linear` by the fastest product that there is; also of stacks, of rows and of weights."""

    def forward(self, x: Float[Tensor, "*stack batch inputs"]) -> Float[Tensor, "*stack batch outputs"]:
        """Return x W^T + b."""
        out = product(x, self.weight.mT)
        return out if self.bias is None else out + self.bias.unsqueeze(-2)


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

    def forward(self, x: Float[Tensor, "*stack batch features"]) -> Float[Tensor, "*stack batch features"]:
        """Normalise every feature over the batch, then scale and shift."""
        centred = x - x.mean(-2, keepdim=True)
        spread = torch.rsqrt(centred.square().mean(-2, keepdim=True) + NORM_EPS)
        return centred * (spread * self.weight.unsqueeze(-2)) + self.bias.unsqueeze(-2)


NORMS = (FeatureNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


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


class ShapedRows(Shaped):
    """The same for a body of features, each of whose layers also takes a stack, with stacked weights."""

    takes_stacks = True

    def forward(self, x: Float[Tensor, "*stack batch ..."]) -> Float[Tensor, "*stack batch ..."]:
        """Run the body, reshape."""
        out: Tensor = self.body(x)
        return out.reshape(*out.shape[:-1], *self.out_shape)


def norm_1d(use: bool, features: int) -> list[nn.Module]:
    """Batchnorm of features, if used."""
    return [FeatureNorm(features)] if use else []


def norm_2d(use: bool, channels: int) -> list[nn.Module]:
    """Batchnorm of maps, if used."""
    return [nn.BatchNorm2d(channels, track_running_stats=False)] if use else []


def dropout(config: Config, *shape: int) -> list[nn.Module]:
    """Dropout of a hidden layer of this shape, if the configuration has any."""
    return [MaskDropout(*shape)] if config.dropout > 0 else []


def squash(image: ImageShape) -> list[nn.Module]:
    """A generator's last activation: images are in [-1, 1], points anywhere."""
    return [] if image.size == 1 else [nn.Tanh()]


def inputs(config: Config, image: ImageShape) -> int:
    """How many numbers a generator is given: z and, if conditional, the one-hot class."""
    return config.latent_dim + image.classes


def norm_in_generator(config: Config) -> bool:
    """Whether the configuration has batchnorm in the generator."""
    return config.batchnorm in ("generator", "both")


def norm_in_discriminator(config: Config) -> bool:
    """Whether the configuration has batchnorm in the discriminator."""
    return config.batchnorm in ("discriminator", "both")


def has_batchnorm(module: nn.Module) -> bool:
    """Whether a network looks at the whole batch, so that real and fake must pass it separately.

    True with a batchnorm or with a layer that has the attribute `mixes_rows = True`.
    """
    return any(isinstance(part, NORMS) or getattr(part, "mixes_rows", False) for part in module.modules())
