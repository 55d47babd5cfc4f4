"""The lower bound of the chosen best box lies above the truth in at most 5% of studies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm

from stability.questions.stable_region.safe_box import safe_boxes
from stability.reading.unit_cube import scale_of
from stability.spec import Choice, Design, Range, StudySpec

LOSSES = ("minimax", "non-saturating", "least-squares", "hinge", "wasserstein")
SPEC = StudySpec(
    name="truth",
    space={
        "loss": Choice(values=LOSSES),
        "lr": Range(low=1e-4, high=1e-2, log=True),
        "lr_ratio": Range(low=0.1, high=10, log=True),
        "beta1": Range(low=0, high=0.9),
    },
    design=Design(points=64, seeds=3, cross=("loss",)),
)
SCALES = tuple(scale_of(SPEC, name) for name in ("lr", "lr_ratio", "beta1"))
POINTS, SEEDS = 64, 3
PROBE = np.random.default_rng(99).random((4000, 3))
"""Places that average the truth over a box."""


def truth(cube: NDArray[np.float64], loss: str, kind: str) -> NDArray[np.float64]:
    """Probability of stable: the same everywhere, or high within a ball of each loss's own place."""
    if kind == "same":
        return np.full(len(cube), 0.6)
    middle = np.array([0.4, 0.5, 0.6]) + 0.05 * LOSSES.index(loss)
    radius = np.sqrt((((cube - middle) / np.array([0.5, 0.35, 0.4])) ** 2).sum(axis=1))
    return np.asarray(0.05 + 0.9 * expit((1 - radius) / 0.1))


def study(rng: np.random.Generator, kind: str) -> pd.DataFrame:
    """Seeds share half of their point's luck, and all losses share all of it."""
    cube = rng.random((POINTS, 3))
    luck, own = rng.normal(size=(POINTS, 1)), rng.normal(size=(POINTS, SEEDS))
    hidden = norm.cdf(np.sqrt(0.5) * luck + np.sqrt(0.5) * own)
    stable = np.concatenate([(hidden < truth(cube, loss, kind)[:, None]).ravel() for loss in LOSSES])
    place = {scale.name: scale.from_unit(cube[:, side]) for side, scale in enumerate(SCALES)}
    return pd.DataFrame(
        {
            **{name: np.tile(np.repeat(values, SEEDS), len(LOSSES)) for name, values in place.items()},
            "point": np.tile(np.repeat(np.arange(POINTS), SEEDS), len(LOSSES)),
            "loss": np.repeat(LOSSES, POINTS * SEEDS),
            "outcome": np.where(stable, "stable", "diverged"),
            "adaptive": False,
        }
    )


def true_share(edges: pd.DataFrame, loss: str, kind: str) -> float:
    sides = edges[edges["level"] == loss].set_index("parameter")
    ends = [scale.to_unit(sides.loc[scale.name, ["low", "high"]].astype(float)) for scale in SCALES]
    low, high = np.array(ends).T
    return float(truth(low + (high - low) * PROBE, loss, kind).mean())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ball", "same"])
def test_bounds_of_the_chosen_box_and_level_hold(kind: str, full: bool) -> None:
    studies = {"ball": (120, 1000), "same": (60, 300)}[kind][full]
    too_high, level_too_high, flattered = 0, 0, 0
    for seed in range(studies):
        rng = np.random.default_rng(seed)
        found = safe_boxes(study(rng, kind), SPEC, "loss", rng=rng)
        row = found.boxes[found.boxes["chosen"]].iloc[0]
        share = true_share(found.edges, row["level"], kind)
        too_high += row["ci_low"] > share
        flattered += row["choosing_share"] > share
        safest = found.safest.iloc[0]
        level_too_high += safest["ci_low"] > truth(PROBE, safest["level"], kind).mean()
    chance = 2 * np.sqrt(0.05 * 0.95 * studies)
    assert too_high <= 0.05 * studies + (0 if full else chance)
    assert level_too_high <= 0.05 * studies + chance
    assert flattered > 0.9 * studies  # which is why the choosing half must not bound
