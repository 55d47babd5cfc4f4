"""Latent views: what a trained generator draws at fixed places of its latent space.

The places are the same for every run of every study, so that two views differ by the generators alone. May
not import store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call

from stability.errors import StabilityError
from stability.gan.data.datasets import to_unit
from stability.gan.data.inputs import in_range, packed, with_labels
from stability.gan.networks import ImageShape, Pair, Switches, find_pair, mask_shapes
from stability.gan.training.streams import LATENTS, picture_noise
from stability.spec.config import Config, Latent

ViewKind = Literal["interpolation", "manifold"]

ENDS_SEED = 20_160_914
ROWS, COLUMNS = 6, 8
"""Of an interpolation."""
SIDE = 9
"""Of a manifold; odd, so that its centre is the origin."""
EXTENT: dict[Latent, float] = {"normal": 2.0, "uniform": 1.0, "sphere": 2.0}
"""How far a manifold reaches: two standard deviations, all there is, or somewhat beyond the circle."""
SHARE = 4
"""At most one in this many of a batch is a point of the view."""

Weights = Mapping[str, NDArray[Any]]


def interpolation(
    latent_dim: int, latent: Latent, rows: int, columns: int
) -> Float[Tensor, "rows columns latent_dim"]:
    """Walk from one fixed point to another in every row, the ends included.

    Row r is the same however many rows there are. Normal and spherical latents: both ends are moved to the
    sphere of radius sqrt(latent_dim), near which almost all of the noise lies that a generator is trained on
    (a straight line would leave it), and the row follows the great circle between them: with t from 0 to 1
    and theta the angle between the ends a and b, z = (sin((1 - t) theta) a + sin(t theta) b) / sin(theta)
    (White 2016, "Sampling Generative Networks", section 2.1). Uniform latents fill a cube, which a
    straight line never leaves; on a line (latent_dim 1) there is no sphere.
    """
    t = torch.linspace(0, 1, columns, dtype=torch.float64)[:, None]
    walk = _great_circle if latent != "uniform" and latent_dim > 1 else _line
    return torch.stack([walk(*_ends(row, latent_dim, latent), t) for row in range(rows)]).float()


def _ends(row: int, latent_dim: int, latent: Latent) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(ENDS_SEED + row)
    ends = LATENTS[latent](2, latent_dim, generator).double()
    return ends[0], ends[1]


def _great_circle(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    radius = math.sqrt(len(start))
    a, b = (point * (radius / point.norm()) for point in (start, end))
    theta = torch.arccos((a @ b / radius**2).clamp(-1, 1))
    walk: Tensor = (torch.sin((1 - t) * theta) * a + torch.sin(t * theta) * b) / torch.sin(theta)
    return walk


def _line(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    return (1 - t) * start + t * end


def manifold_grid(side: int, latent: Latent = "normal") -> Float[Tensor, "side side 2"]:
    """A square of two latent coordinates around 0: the first grows to the right, the second upwards.

    It reaches from -2 to 2 in either, from -1 to 1 for uniform latents.
    """
    steps = torch.linspace(-EXTENT[latent], EXTENT[latent], side)
    second, first = torch.meshgrid(steps.flip(0), steps, indexing="ij")
    return torch.stack([first, second], -1)


GRIDS: dict[ViewKind, Callable[[Config], Tensor]] = {
    "manifold": lambda config: manifold_grid(SIDE, config.latent),
    "interpolation": lambda config: interpolation(config.latent_dim, config.latent, ROWS, COLUMNS),
}
"""The latent points of each kind of view: configuration -> z [rows, columns, latent_dim]."""


def view_kinds(config: Config) -> tuple[ViewKind, ...]:
    """The views that a configuration has, the most telling one first."""
    kinds: tuple[ViewKind, ...] = get_args(ViewKind)
    return ("manifold", "interpolation") if config.latent_dim == 2 else kinds[:1]


def check_viewable(image: ImageShape) -> None:
    """Raise `StabilityError` where generators draw points, which there is nothing to see of."""
    if image.size == 1:
        raise StabilityError("points have no latent view: a generator of points draws no pictures")


@torch.no_grad()
def latent_view(
    config: Config,
    image: ImageShape,
    weights: Weights,
    z: Float[Tensor, "rows columns latent_dim"],
    *,
    real: UInt8[Tensor, "n c h w"] | None = None,
) -> UInt8[Tensor, "rows columns h w c"]:
    """Draw what kept weights make of z, with the average of the generator's weights where there is one.

    Batchnorm normalises by the batch at hand. A batch of nothing but the view's points would have other
    statistics than training had (they are no sample of the noise: neighbours are alike, and a manifold's
    corners are far out), and so would draw pictures that the generator never made. So the points pass in
    training-sized batches in which they are a small share beside the fixed noise of the filmstrips.

    A conditional generator draws class r % classes in row r, and one that takes the discriminator's switches
    takes those of the r-th real image there: within a row nothing differs but z.

    Args:
        config: the run's configuration.
        image: the shape of its images, with the number of classes where its networks are told the class.
        weights: as the store keeps them, by network and parameter name.
        z: the latent points.
        real: training images, of which the first serve for switches; other pairs need none.

    Raises:
        StabilityError: the run draws points.

    """
    check_viewable(image)
    draw = _drawer(find_pair(config.architecture), config, image, weights, real)
    rows, columns = z.shape[:2]
    points, row_of = z.flatten(0, 1), torch.arange(rows).repeat_interleave(columns)
    noise = picture_noise(config.batch_size * config.packing, config.latent_dim, config.latent)
    share = max(1, len(noise) // SHARE)
    drawn = []
    for own, its_row in zip(torch.split(points, share), torch.split(row_of, share), strict=True):
        others = torch.arange(len(own), len(noise))
        drawn.append(draw(torch.cat([own, noise[others]]), torch.cat([its_row, others]))[: len(own)])
    return _as_bytes(torch.cat(drawn)).reshape(rows, columns, image.size, image.size, image.channels)


def _drawer(
    pair: Pair, config: Config, image: ImageShape, weights: Weights, real: Tensor | None
) -> Callable[[Tensor, Tensor], Tensor]:
    """The generator with its weights in place: z and each point's row -> images in -1..1."""
    own = _of(weights, "average") or _of(weights, "generator")
    switches = _switches(pair, config, image, weights, real) if pair.switches else None
    with torch.device("meta"):
        generator = pair.generator(config, image)
    no_dropout = {name: torch.ones(()) for name in mask_shapes(generator)}

    def draw(z: Tensor, rows: Tensor) -> Tensor:
        labels = rows[None] % image.classes if image.classes else None
        fed = with_labels(z[None], labels, image.classes)[0]
        places = {} if switches is None else switches(rows)
        images: Tensor = functional_call(generator, own | no_dropout | places, (fed,))
        return images

    return draw


def _switches(
    pair: Pair, config: Config, image: ImageShape, weights: Weights, real: Tensor | None
) -> Callable[[Tensor], dict[str, Tensor]]:
    """Where the discriminator's pools find their maxima in real images: rows -> the generator's buffers."""
    if real is None:
        raise ValueError(f"{config.architecture} cannot draw without real images")
    with torch.device("meta"):
        discriminator = pair.discriminator(config, image.seen(config.packing))
    own = {name: torch.ones(mask.shape) for name, mask in discriminator.named_buffers()}  # no dropout
    own |= {name: _normed(value, config) for name, value in _of(weights, "discriminator").items()}
    named = {f"discriminator.{name}": value for name, value in own.items()}
    own_range = config.input_range_real or config.input_range
    seen = packed(in_range(to_unit(real.cpu())[None], own_range), config.packing)[0]

    def places(rows: Tensor) -> dict[str, Tensor]:
        found: dict[str, Tensor] = functional_call(Switches(discriminator), named, (seen[rows % len(seen)],))
        return found

    return places


def _normed(weight: Tensor, config: Config) -> Tensor:
    """The weight that the discriminator is run with: kept are those that the optimiser steps."""
    if not config.spectral_norm or weight.dim() < 2 or not weight.isfinite().all():
        return weight  # a network that diverged has no singular values
    largest: Tensor = torch.linalg.matrix_norm(weight.flatten(1), 2)
    return weight / largest


def _of(weights: Weights, part: str) -> dict[str, Tensor]:
    """One network's weights by parameter name."""
    prefix = f"{part}."
    return {
        name.removeprefix(prefix): torch.from_numpy(np.array(value)).float()
        for name, value in weights.items()
        if name.startswith(prefix)
    }


def _as_bytes(images: Float[Tensor, "n c h w"]) -> UInt8[Tensor, "n h w c"]:
    shades = ((images + 1) * 127.5).clamp(0, 255).round()
    black_where_unknown = shades.masked_fill(shades.isnan(), 0)  # a byte knows no NaN
    return black_where_unknown.to(torch.uint8).permute(0, 2, 3, 1)
