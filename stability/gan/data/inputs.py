"""From images in -1..1 to what the networks are fed: range, packs, labels.

May not import store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from stability.spec.config import InputRange

RANGES: dict[InputRange, tuple[float, float]] = {
    "symmetric": (-1.0, 1.0),
    "unit": (0.0, 1.0),
    "bytes": (0.0, 255.0),
}
"""The lowest and the highest value that the discriminator sees."""


def in_range(
    images: Float[Tensor, "members n *image"], input_range: InputRange
) -> Float[Tensor, "members n *image"]:
    """Images in -1..1, stretched to the discriminator's range."""
    low, high = RANGES[input_range]
    if (low, high) == (-1.0, 1.0):
        return images
    return (images + 1) * ((high - low) / 2) + low


def packed(
    images: Float[Tensor, "members n channels *grid"], packing: int
) -> Float[Tensor, "members packs channels2 *grid"]:
    """Groups of `packing` images that follow each other, joined as channels (Lin 2018, PacGAN).

    What does not fill a pack at the end is left out.
    """
    if packing == 1:
        return images
    members, n, channels, *grid = images.shape
    packs = n // packing
    return images[:, : packs * packing].reshape(members, packs, packing * channels, *grid)


def label_codes(
    labels: Int64[Tensor, "*shape"], classes: int, like: Tensor
) -> Float[Tensor, "*shape classes"]:
    """A one for the class, zeros for the others; device and type as `like`."""
    return (labels[..., None] == torch.arange(classes, device=labels.device)).to(like)


def label_planes(
    labels: Int64[Tensor, "members n"], classes: int, like: Float[Tensor, "members n2 channels h w"]
) -> Float[Tensor, "members n classes h w"]:
    """A plane of ones for the class and planes of zeros for the others, as large as the images `like`."""
    codes = label_codes(labels, classes, like)
    return codes[..., None, None].expand(*codes.shape, *like.shape[-2:])


def with_labels(
    z: Float[Tensor, "members n latent"], labels: Int64[Tensor, "members n"] | None, classes: int
) -> Float[Tensor, "members n inputs"]:
    """Latent points with their class as a one-hot code behind them."""
    return z if labels is None else torch.cat([z, label_codes(labels, classes, z)], -1)
