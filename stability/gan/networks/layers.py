"""Layers that the architectures share, written so that a member's numbers do not depend on its cohort.

Batchnorm always normalises by the batch at hand and keeps no running statistics, so that what is evaluated
is what was trained. A layer before a batchnorm or an instance norm has no bias: its true gradient is zero and
Adam would amplify the rounding noise. Dropout multiplies by a mask buffer, so that the mask comes from the
run's own stream.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stability.gan.arithmetic.products import product
from stability.gan.networks.pair import ImageShape
from stability.spec.config import Config, NetworkSettings, Norm

LEAK = 0.2
NORM_EPS = 1e-5
STD_EPS = 1e-8
"""Beside a variance, since the root's slope at 0 is infinite."""
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


class RowNorm(nn.Module):
    """Layer norm of `[batch, features]`, equal to `nn.LayerNorm(features)`; also of stacks."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x: Float[Tensor, "*stack batch features"]) -> Float[Tensor, "*stack batch features"]:
        """Normalise every row over its features, then scale and shift."""
        centred = x - x.mean(-1, keepdim=True)
        spread = torch.rsqrt(centred.square().mean(-1, keepdim=True) + NORM_EPS)
        return centred * spread * self.weight.unsqueeze(-2) + self.bias.unsqueeze(-2)


class MinibatchStd(nn.Module):
    """One more feature, or one more map, that says how much the batch spreads (Karras 2018, section 3).

    It is the mean, over all that an example has, of the standard deviation over the whole batch.
    """

    mixes_rows = True

    def __init__(self, *, maps: bool) -> None:
        """Of `[batch, features]` and stacks of them, or of maps `[batch, channels, h, w]`."""
        super().__init__()
        self._rest = (-3, -2, -1) if maps else (-1,)

    def forward(self, x: Float[Tensor, "*stack"]) -> Float[Tensor, "*stack2"]:
        """Join the spread to every example."""
        batch, joined = self._rest[0] - 1, self._rest[0]
        centred = x - x.mean(batch, keepdim=True)
        spread = (centred.square().mean(batch, keepdim=True) + STD_EPS).sqrt().mean(self._rest, keepdim=True)
        shape = list(x.shape)
        shape[joined] = 1
        return torch.cat([x, spread.expand(shape)], joined)


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


NORMS_1D: dict[Norm, Callable[[int], nn.Module]] = {"batch": FeatureNorm, "layer": RowNorm}
"""Of features, each by their number; a feature alone has nothing that an instance norm could take."""
NORMS_2D: dict[Norm, Callable[[int], nn.Module]] = {
    "batch": partial(nn.BatchNorm2d, track_running_stats=False),
    "layer": partial(nn.GroupNorm, 1),
    "instance": partial(nn.InstanceNorm2d, affine=True),
}
"""Of maps, each by their number; all scale and shift every map."""


def norm_1d(norm: Norm, features: int) -> list[nn.Module]:
    """The normalisation of features, if any."""
    return [] if norm == "none" else [NORMS_1D[norm](features)]


def norm_2d(norm: Norm, channels: int) -> list[nn.Module]:
    """The normalisation of maps, if any."""
    return [] if norm == "none" else [NORMS_2D[norm](channels)]


def needs_bias(norm: Norm) -> bool:
    """Whether a layer before this normalisation has a bias that the normalisation does not undo."""
    return norm in ("none", "layer")


def dropout(network: NetworkSettings, *shape: int) -> list[nn.Module]:
    """Dropout of a hidden layer of this shape, if the network has any."""
    return [MaskDropout(*shape)] if network.dropout > 0 else []


def mask_shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """By the name of its buffer, the shape of every dropout mask for one row."""
    return {
        f"{path}.mask" if path else "mask": part.shape
        for path, part in network.named_modules()
        if isinstance(part, MaskDropout)
    }


def squash(image: ImageShape) -> list[nn.Module]:
    """A generator's last activation: images are in [-1, 1], points anywhere."""
    return [] if image.size == 1 else [nn.Tanh()]


def inputs(config: Config, image: ImageShape) -> int:
    """How many numbers a generator is given: z and, if conditional, the one-hot class."""
    return config.latent_dim + image.classes


def has_batchnorm(module: nn.Module) -> bool:
    """Whether a network looks at the whole batch, so that real and fake must pass it separately.

    True with a batchnorm or with a layer that has the attribute `mixes_rows = True`.
    """
    return any(isinstance(part, NORMS) or getattr(part, "mixes_rows", False) for part in module.modules())
