"""A planted region is found by the map, and its safe settings are safe at the stated confidence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm

from stability.questions.stable_region.estimate import MapRules, stability_map
from stability.reading.map_axes import MapAxes
from stability.spec import Design, Range, StudySpec

SPEC = StudySpec(
    name="truth",
    space={"lr_ratio": Range(low=0.1, high=10, log=True), "beta1": Range(low=0, high=0.9)},
    design=Design(points=256, seeds=3, cross=()),
)
AXES = MapAxes("lr_ratio", "beta1", True, False, None, ())


def ellipse(u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability .9 inside, .1 outside, with a smooth edge."""
    radius = np.hypot((u - 0.45) / 0.32, (v - 0.5) / 0.28)
    return np.asarray(0.1 + 0.8 * expit((1 - radius) / 0.08))


def slope(u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
    """From .1 to .9 without any edge, where a cell is easily called safe by mistake."""
    return np.asarray(0.1 + 0.8 * (u + v) / 2)


SURFACES = {"ellipse": ellipse, "slope": slope}


def study(rng: np.random.Generator, surface: str, *, points: int, seeds: int) -> pd.DataFrame:
    """Seeds of a point share its luck: their hidden normals correlate by .6."""
    u, v = rng.random(points), rng.random(points)
    luck, own = rng.normal(size=(points, 1)), rng.normal(size=(points, seeds))
    stable = norm.cdf(np.sqrt(0.6) * luck + np.sqrt(0.4) * own) < SURFACES[surface](u, v)[:, None]
    return pd.DataFrame(
        {
            "run": [f"r{number}" for number in range(points * seeds)],
            "point": np.repeat(np.arange(points), seeds),
            "lr_ratio": np.repeat(10 ** (2 * u - 1), seeds),
            "beta1": np.repeat(0.9 * v, seeds),
            "outcome": np.where(stable.ravel(), "stable", "diverged"),
            "adaptive": False,
        }
    )


def mapped(seed: int, surface: str, *, points: int, seeds: int, rules: MapRules) -> pd.DataFrame:
    """A study's cells, with the true probability of each."""
    rng = np.random.default_rng(seed)
    runs = study(rng, surface, points=points, seeds=seeds)
    grid = stability_map(runs, SPEC, AXES, rng=rng, rules=rules).grid
    u = (np.log10(grid["x"].to_numpy(dtype=np.float64)) + 1) / 2
    return grid.assign(truth=SURFACES[surface](u, grid["y"].to_numpy(dtype=np.float64) / 0.9))


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [1, 3])
def test_the_half_contour_matches_the_planted_region(seeds: int, full: bool) -> None:
    overlaps = []
    for seed in range(20 if full else 5):
        grid = mapped(seed, "ellipse", points=256, seeds=seeds, rules=MapRules())
        found, true = grid["probability"] >= 0.5, grid["truth"] >= 0.5
        overlaps.append((found & true).sum() / (found | true).sum())
    assert np.median(overlaps) >= 0.8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("surface", "probability", "points", "studies"),
    [
        ("ellipse", 0.5, 96, 10),
        ("ellipse", 0.7, 96, 10),
        ("slope", 0.5, 96, 10),
        ("slope", 0.7, 192, 25),  # one study in five has any safe cell
    ],
)
def test_safe_cells_are_safe_at_the_stated_confidence(
    surface: str, probability: float, points: int, studies: int, full: bool
) -> None:
    studies *= 4 if full else 1
    rules = MapRules(probability=probability, folds=2)
    grids = [mapped(seed, surface, points=points, seeds=3, rules=rules) for seed in range(studies)]
    cells = pd.concat(grids, ignore_index=True)
    safe = cells[cells["safe"].astype(bool)]
    assert len(safe) > 25 * studies
    assert (safe["truth"] >= probability).mean() >= rules.confidence - (0 if full else 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("surface", list(SURFACES))
def test_the_lower_bound_holds_about_as_often_as_it_says_all_over_the_map(surface: str, full: bool) -> None:
    grids = [
        mapped(seed, surface, points=128, seeds=3, rules=MapRules(folds=2))
        for seed in range(30 if full else 8)
    ]
    cells = pd.concat(grids, ignore_index=True)
    cells = cells[cells["supported"].astype(bool)]
    assert (cells["ci_low"] <= cells["truth"]).mean() >= (0.93 if full else 0.9)
