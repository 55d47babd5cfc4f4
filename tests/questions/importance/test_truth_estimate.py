"""The interval of a parameter that does nothing covers zero; that of one that matters does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from stability.questions.importance.estimate import DUMMY, TARGETS, ImportanceRules, importance
from stability.spec import Choice, Design, Range, StudySpec

LOSSES = ("minimax", "non-saturating", "hinge")
SPEC = StudySpec(
    name="truth",
    space={
        "loss": Choice(values=LOSSES),
        "lr": Range(low=1e-4, high=1e-2, log=True),
        "lr_ratio": Range(low=0.1, high=10, log=True),
        "beta1": Range(low=0, high=0.9),
    },
    design=Design(points=64, seeds=2, cross=("loss",)),
)
POINTS, SEEDS = 64, 2


def study(rng: np.random.Generator) -> pd.DataFrame:
    """lr_ratio matters for both targets, lr and beta1 for none; seeds and losses share their point's luck."""
    u = rng.random((POINTS, 3))
    luck, own = rng.normal(size=(POINTS, 1)), rng.normal(size=(POINTS, SEEDS))
    hidden = np.sqrt(0.5) * luck + np.sqrt(0.5) * own
    inside = (u[:, 1] > 0.2) & (u[:, 1] < 0.7)
    frames = []
    for level, loss in enumerate(LOSSES):
        probability = np.where(inside, 0.85 - 0.1 * level, 0.1)[:, None]
        frames.append(
            pd.DataFrame(
                {
                    "run": [f"{point:02d}-{loss}-{seed}" for point in range(POINTS) for seed in range(SEEDS)],
                    "point": np.repeat(np.arange(POINTS), SEEDS),
                    "trial": np.repeat([f"{point}-{loss}" for point in range(POINTS)], SEEDS),
                    "loss": loss,
                    "lr": np.repeat(10 ** (2 * u[:, 0] - 4), SEEDS),
                    "lr_ratio": np.repeat(10 ** (2 * u[:, 1] - 1), SEEDS),
                    "beta1": np.repeat(0.9 * u[:, 2], SEEDS),
                    "outcome": np.where((norm.cdf(hidden) < probability).ravel(), "stable", "collapsed"),
                    "fid_ratio": np.exp(3 - 2 * probability + 0.5 * hidden).ravel(),
                    "adaptive": False,
                    "stopped": False,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


@pytest.mark.slow
def test_nothing_covers_zero_and_something_does_not(full: bool) -> None:
    found = []
    for seed in range(80 if full else 20):
        rng = np.random.default_rng(seed)
        found.append(importance(study(rng), SPEC, rng=rng, rules=ImportanceRules(trees=50)).parameters)
    rows = pd.concat(found, ignore_index=True)
    assert rows["estimate"].notna().all()
    least = 0.95 if full else 0.9
    covers = (rows["ci_low"] <= 0) & (rows["ci_high"] >= 0)
    assert covers[rows["dummy"]].mean() >= least
    for target in TARGETS:
        of_target = rows["target"] == target
        assert covers[of_target & rows["parameter"].isin([DUMMY, "lr", "beta1"])].mean() >= least
        assert covers[of_target & (rows["parameter"] == "lr_ratio")].mean() <= 0.05
