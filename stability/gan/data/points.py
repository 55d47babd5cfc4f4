"""Problems whose examples are points: mixtures of small Gaussians, and a single point; their pictures.

Their exact answer is known, so nothing has to be learned to tell good samples from bad ones. May not import
store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor

TRAIN, TEST = 100_000, 10_000
"""Points of each data set; PacGAN's experiments train on as many."""
PICTURED_POINTS = 1024
"""Points in one picture of a generator of points."""
DIRAC_TOLERANCE = 0.1
"""A tenth of the distance that the problem's generator starts at in the literature, 1."""
_SIGMAS = 3
_SEED = 20_180_712
"""Of the data: the same in every study."""
_FAINT, _HALO = 128, 3
"""A pixel with one point is as bright as _FAINT, and lights half of that around it, _HALO pixels wide."""


@dataclass(frozen=True)
class PointProblem:
    """An even mixture of round Gaussians of one size, or of point masses where `spread` is 0."""

    centres: Float[Tensor, "modes dim"]
    """float64, on the CPU."""
    spread: float
    """Standard deviation around a centre, along each axis."""
    tolerance: float
    """A sample is of high quality within this distance of a centre: 3 spreads."""
    names: tuple[str, ...]
    """Of the modes."""

    @property
    def unit(self) -> float:
        """What distances are compared with where real ones are 0: the tolerance of a point mass, else 0."""
        return 0.0 if self.spread else self.tolerance


def _ring() -> PointProblem:
    turn = torch.arange(8, dtype=torch.float64) * (2 * math.pi / 8)
    centres = torch.stack([turn.cos(), turn.sin()], 1)
    return PointProblem(centres, 0.01, _SIGMAS * 0.01, tuple(f"{45 * k} deg" for k in range(8)))


def _grid() -> PointProblem:
    axis = torch.arange(-4, 5, 2, dtype=torch.float64)
    centres = torch.cartesian_prod(axis, axis)
    names = tuple(f"({x:g}, {y:g})" for x, y in centres.tolist())
    return PointProblem(centres, 0.05, _SIGMAS * 0.05, names)


def _dirac() -> PointProblem:
    return PointProblem(torch.zeros(1, 1, dtype=torch.float64), 0.0, DIRAC_TOLERANCE, ("0",))


PROBLEMS: dict[str, PointProblem] = {"ring": _ring(), "grid": _grid(), "dirac": _dirac()}
"""By the study file's name: 8 Gaussians on the unit circle and 25 on a grid (Lin et al. 2018, "PacGAN",
section 4.1), and the one-dimensional point mass at 0 of Mescheder et al. 2018, "Which training methods
for GANs do actually converge?", section 2."""


def draw_problem(
    problem: PointProblem,
) -> tuple[
    tuple[Float32[Tensor, "n_train dim 1 1"], Int64[Tensor, " n_train"]],
    tuple[Float32[Tensor, "n_test dim 1 1"], Int64[Tensor, " n_test"]],
]:
    """Training and test points with their modes' indices, the same at every call."""
    generator = torch.Generator().manual_seed(_SEED)
    return _draw(problem, TRAIN, generator), _draw(problem, TEST, generator)


def _draw(
    problem: PointProblem, n: int, generator: torch.Generator
) -> tuple[Float32[Tensor, "n dim 1 1"], Int64[Tensor, " n"]]:
    """Points of all modes in equal numbers (to within one), as PacGAN's are, in random order."""
    modes, dim = problem.centres.shape
    labels = torch.randperm(n, generator=generator) % modes
    noise = torch.randn(n, dim, generator=generator, dtype=torch.float64)
    points = problem.centres[labels] + problem.spread * noise
    return points.float()[:, :, None, None], labels


def picture_extent(points: Float[Tensor, "n dim 1 1"]) -> float:
    """How far from 0 pictures of generated points reach: half as far again as the training points do."""
    return float(points.abs().max()) * 1.5 or 2.0


def draw_points(
    points: Float[Tensor, "members n dim 1 1"], extent: float, side: int = 64
) -> UInt8[Tensor, "members 1 side side"]:
    """Picture each member's points, bright on black, within -extent..extent along both axes, y upwards.

    The more points fall on a pixel the brighter it is, on a logarithmic scale that ends with the fullest
    pixel of the picture. One-dimensional points lie at y = 0. Points outside, or not finite, are left out.
    The pictures are on the CPU.
    """
    flat = points.detach().flatten(2).cpu().double()
    x = flat[:, :, 0]
    y = flat[:, :, 1] if flat.shape[2] > 1 else torch.where(x.isfinite(), 0.0, x)
    column, row = ((extent + x) / (2 * extent) * side).floor(), ((extent - y) / (2 * extent) * side).floor()
    inside = (column >= 0) & (column < side) & (row >= 0) & (row < side)  # false for NaN
    member = torch.arange(len(flat))[:, None].expand_as(inside)
    pixel = member[inside] * side**2 + row[inside].long() * side + column[inside].long()
    counts = torch.bincount(pixel, minlength=len(flat) * side**2).view(-1, 1, side, side).double()
    return _lit(counts)


def _lit(counts: Float[Tensor, "members 1 side side"]) -> UInt8[Tensor, "members 1 side side"]:
    fullest = counts.amax((2, 3), keepdim=True).clamp(min=2)  # a lone point is faint, not white
    light = torch.where(counts > 0, _FAINT + (255 - _FAINT) * counts.log() / fullest.log(), 0.0)
    halo = torch.nn.functional.max_pool2d(light, _HALO, stride=1, padding=_HALO // 2) / 2
    return torch.maximum(light, halo).round().byte()
