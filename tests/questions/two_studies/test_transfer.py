from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, spearmanr
from sklearn.metrics import cohen_kappa_score

from stability.questions.two_studies.transfer import FEW, KAPPA, RANKS, SAME, UNMOVED, transfer

LOSSES = ("hinge", "minimax", "wgan-gp")
ENDS = np.array(["nearly-stable", "learning", "collapsed", "noise"])


def studies(points: int, alike: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two studies whose points' qualities correlate so much, with one run of each loss at every point."""
    rng = np.random.default_rng(seed)
    quality = rng.multivariate_normal([0, 0], [[1, alike], [alike, 1]], size=points)
    rows = [
        {"point": point, "replicate": 0, "loss": loss, "adaptive": False}
        for point in range(points)
        for loss in LOSSES
    ]
    sides = []
    for side in range(2):
        level = np.repeat(quality[:, side], len(LOSSES)) + 0.7 * rng.standard_normal(len(rows))
        outcome = ENDS[np.searchsorted([-0.8, 0.0, 0.8], level)][:]
        sides.append(pd.DataFrame(rows).assign(outcome=outcome))
    return sides[0], sides[1]


def of(frame: pd.DataFrame, what: str) -> pd.Series:
    return frame.set_index("what").loc[what]


def known(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, float]:
    """The three numbers by other libraries."""
    good = [
        side.assign(good=side["outcome"] == "nearly-stable").groupby("point")["good"].mean()
        for side in (first, second)
    ]
    ends = first["outcome"], second["outcome"]
    return {
        RANKS: spearmanr(*good).statistic,
        SAME: float((ends[0] == ends[1]).mean()),
        KAPPA: cohen_kappa_score(*ends),
    }


def test_the_numbers_are_those_of_other_libraries() -> None:
    first, second = studies(30, 0.7, 0)
    found = transfer(first, second.sample(frac=1, random_state=1), ("loss",))
    assert found.set_index("what")["estimate"].to_dict() == pytest.approx(known(first, second))
    assert (found["n_points"] == 30).all()
    assert (found["n_runs"] == 90).all()
    assert (found["ci_low"] < found["estimate"]).all()
    assert (found["ci_high"] > found["estimate"]).all()


def test_only_runs_that_both_trained_count() -> None:
    first, second = studies(20, 0.5, 0)
    less = second[(second["loss"] != "hinge") & (second["point"] > 3)]
    found = transfer(first, less, ("loss",))
    assert (of(found, SAME)["n_points"], of(found, SAME)["n_runs"]) == (16, 32)


def test_what_cannot_be_told_says_why() -> None:
    few = transfer(*studies(FEW - 1, 0.5, 0), ("loss",))
    assert "fewer than 8 points" in of(few, RANKS)["reason"]
    first, second = studies(20, 0.5, 0)
    still = transfer(first.assign(outcome="noise"), second, ("loss",))
    assert of(still, RANKS)["reason"] == UNMOVED
    assert np.isnan(of(still, RANKS)["ci_low"])


@pytest.mark.slow
@pytest.mark.parametrize("alike", [0.0, 0.8])
def test_the_intervals_cover_the_truth(alike: float, full: bool) -> None:
    truth = known(*studies(20_000, alike, 10_000))
    n = 2_000 if full else 120
    hits = {RANKS: 0, SAME: 0, KAPPA: 0}
    for seed in range(n):
        found = transfer(*studies(24, alike, seed), ("loss",)).set_index("what")
        for what in hits:
            hits[what] += found.loc[what, "ci_low"] <= truth[what] <= found.loc[what, "ci_high"]
    slack = norm.ppf(0.999) * np.sqrt(0.94 * 0.06 / n)
    assert {what: hit / n for what, hit in hits.items() if hit / n < 0.94 - slack} == {}
