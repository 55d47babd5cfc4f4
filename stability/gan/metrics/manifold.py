"""Distances in feature space: precision, recall, density, coverage, diversity, nearest neighbours.

May not import store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from scipy.spatial import KDTree
from torch import Tensor

from stability.gan.arithmetic.products import product

NEIGHBOURS = 5
_CHUNK = 2048
_FEW = 3
"""With so few features a tree finds the neighbours, faster; and among very many close points the nearest one
would be lost in a product's rounding."""


@dataclass(frozen=True)
class Manifold:
    """A set of features with each row's radius: the distance to its k-th nearest other row.

    Sums are float64 and therefore taken on the CPU: not every device has such numbers.
    """

    features: Float[Tensor, "n features"]
    radii: Float[Tensor, " n"]
    k: int
    spread: float
    """Mean distance over all pairs of different rows."""


@dataclass(frozen=True)
class PRDC:
    """Precision, recall, density and coverage; shares of 0..1, but density, which may exceed 1."""

    precision: float
    recall: float
    density: float
    coverage: float
    near_real: Bool[Tensor, " n"]
    """Which fakes lie inside any real's ball; none where features are not finite."""


def distances(a: Float[Tensor, "n features"], b: Float[Tensor, "m features"]) -> Float[Tensor, "n m"]:
    """Euclidean distances of all pairs; taken from differences, so equal rows are at exactly 0."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def manifold(
    features: Float[Tensor, "n features"], k: int = NEIGHBOURS, *, least_radius: float = 0.0
) -> Manifold:
    """Radii and spread of a set of features, from one matrix of distances.

    No radius is below `least_radius`: where more than k rows are equal, nothing would be closer than the
    k-th neighbour. Raises ValueError unless n > k.
    """
    n = len(features)
    if n <= k:
        raise ValueError(f"the {k}-th neighbour needs more than {k} rows, not {n}")
    pairs = distances(features, features)
    nearest = pairs.topk(k + 1, largest=False, sorted=True).values
    return Manifold(features, nearest[:, k].clamp(min=least_radius), k, _mean_of_pairs(pairs))


def spread(features: Float[Tensor, "n features"]) -> float:
    """Mean distance over all pairs of different rows; NaN where there are fewer than two."""
    return _mean_of_pairs(distances(features, features)) if len(features) > 1 else math.nan


def relative(value: float, real: float, unit: float = 0.0) -> float:
    """How often `real`, what real samples score, goes into `value`: 1 is as good as real.

    Where real samples score 0, as equal ones do, there is no such number: then it is 1 + value / unit, so
    that 0 is still as good as real, and without a unit infinity for all but 0.
    """
    if real:
        return value / real
    if unit:
        return 1 + value / unit
    return 1.0 if value == 0 else math.inf * value


def prdc(real: Manifold, fake: Manifold) -> PRDC:
    """Compare two manifolds of equal k; NaN where features are not finite.

    precision: share of fakes inside any real's ball; recall: share of reals inside any fake's ball
    (Kynkaanniemi et al. 2019, eq. 2); density: how many reals' balls a fake lies in, over k; coverage: share
    of reals whose ball holds a fake (Naeem et al. 2020, eq. 5 and 7).
    """
    if not (real.features.isfinite().all() and fake.features.isfinite().all()):
        nowhere = torch.zeros(len(fake.features), dtype=torch.bool)
        return PRDC(math.nan, math.nan, math.nan, math.nan, near_real=nowhere)
    pairs = distances(real.features, fake.features)
    in_real = pairs < real.radii[:, None]
    in_fake = pairs < fake.radii
    near_real = in_real.any(0)
    return PRDC(
        precision=_share(near_real),
        recall=_share(in_fake.any(1)),
        density=in_real.sum().item() / (real.k * len(fake.features)),
        coverage=_share(in_real.any(1)),
        near_real=near_real.cpu(),
    )


def diversity(real: Manifold, fake: Manifold, unit: float = 0.0) -> float:
    """Mean distance between two fakes over that between two reals: 0 is one image, 1 is as real.

    `unit` is for reals that are all equal, see `relative`.
    """
    return relative(fake.spread, real.spread, unit)


def nearest(
    queries: Float[Tensor, "n features"], references: Float[Tensor, "m features"]
) -> Float[Tensor, " n"]:
    """Distance of each query to the nearest reference; NaN for a query that is not finite.

    Candidates are found by one float32 product per chunk, their distances computed exactly from the
    difference, so that a copy is at distance 0.
    """
    if queries.shape[1] <= _FEW:
        return _nearest_by_tree(queries, references)
    weighted = torch.cat([queries, torch.ones_like(queries[:, :1])], 1)
    best = torch.full_like(queries[:, 0], -torch.inf)
    index = torch.zeros(len(queries), dtype=torch.int64, device=queries.device)
    for start in range(0, len(references), _CHUNK):
        chunk = references[start : start + _CHUNK]
        offsets = -chunk.square().sum(1, keepdim=True) / 2
        scores = product(weighted, torch.cat([chunk, offsets], 1).T)
        score, row = scores.max(1)
        closer = score > best
        best = torch.where(closer, score, best)
        index = torch.where(closer, row + start, index)
    return (queries - references[index]).square().sum(1).sqrt()


def _nearest_by_tree(
    queries: Float[Tensor, "n features"], references: Float[Tensor, "m features"]
) -> Float[Tensor, " n"]:
    finite = queries.isfinite().all(1)
    tree = KDTree(references.cpu().double().numpy())
    found = torch.full_like(queries[:, 0], torch.nan)
    found[finite] = torch.from_numpy(tree.query(queries[finite].cpu().double().numpy())[0]).to(queries)
    return found


def _mean_of_pairs(pairs: Float[Tensor, "n n"]) -> float:
    n = len(pairs)
    return (pairs.cpu().double().sum() / (n * (n - 1))).item()


def _share(inside: Tensor) -> float:
    return inside.cpu().double().mean().item()
