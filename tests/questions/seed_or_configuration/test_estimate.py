from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from stability.questions.seed_or_configuration.estimate import (
    ALL_BY_ONE,
    NO_VARIATION,
    NOT_CROSSED,
    ONE_LEVEL,
    ONE_SEED,
    PARTS,
    TOO_FEW,
    variance_shares,
)
from stability.statistics.rates import ADAPTIVE, NO_RUNS

LOSSES = ("minimax", "hinge", "least-squares")
FID = "log final FID"


def runs_of(values: NDArray[np.float64], **columns: Any) -> pd.DataFrame:
    """Runs with these logs of the FID ratio: [points, losses, seeds]; nearly stable where it is below 0."""
    rows = [
        {
            "point": p,
            "loss": LOSSES[k],
            "trial": f"p{p}-{LOSSES[k]}",
            "replicate": s,
            "fid_ratio": np.exp(value),
        }
        for (p, k, s), value in np.ndenumerate(values)
    ]
    frame = pd.DataFrame(rows, columns=["point", "loss", "trial", "replicate", "fid_ratio"])
    outcome = np.where(frame["fid_ratio"] < 1, "nearly-stable", "noise")
    return frame.assign(**{"best_fid_ratio": 1.0, "adaptive": False, "outcome": outcome, **columns})


def within(runs: pd.DataFrame, response: str = FID) -> pd.Series:
    frame = variance_shares(runs, "loss").by_level
    return frame[frame["response"] == response].iloc[0]


def parts(runs: pd.DataFrame, response: str = FID) -> pd.DataFrame:
    frame = variance_shares(runs, "loss").parts
    return frame[frame["response"] == response].set_index("part")


def drawn(generator: np.random.Generator, points: int, seeds: int) -> NDArray[np.float64]:
    """Point, loss, interaction and seed with variances 1, 2/3 (fixed: -1, 0, 1), 1/4 and 1/9."""
    return (
        generator.normal(size=(points, 1, 1))
        + np.array([-1.0, 0.0, 1.0])[:, None]
        + 0.5 * generator.normal(size=(points, 3, 1))
        + generator.normal(size=(points, 3, seeds)) / 3
    )


def test_the_share_of_the_configuration_is_the_intraclass_correlation() -> None:
    values = np.array([[1.0, 2.0], [3.0, 5.0], [4.0, 4.0], [0.0, 1.0]])
    row = within(runs_of(values[:, None, :]))
    between, rest = 2 * values.mean(axis=1).var(ddof=1), values.var(axis=1, ddof=1).mean()
    assert row.estimate == pytest.approx((between - rest) / (between + rest))
    assert 0 <= row.ci_low < row.estimate < row.ci_high <= 1
    assert (row.n_points, row.n_runs, row.n_left_out, row.reason) == (4, 8, 0, "")


def test_all_seed_and_all_configuration_are_told_apart() -> None:
    generator = np.random.default_rng(0)
    noise, points = generator.normal(size=(40, 1, 3)), generator.normal(size=(40, 1, 1))
    seed, configuration = within(runs_of(noise)), within(runs_of(points + 0.01 * noise))
    assert seed.ci_high < 0.5
    assert configuration.ci_low > 0.99


def test_other_crossed_trials_of_a_point_are_configurations_of_their_own() -> None:
    generator = np.random.default_rng(1)
    values = generator.normal(size=(200, 3, 1)) + generator.normal(size=(200, 3, 2))
    runs = runs_of(values, loss="hinge")
    row = within(runs)
    assert row.estimate == pytest.approx(0.5, abs=0.08)
    assert (row.n_points, row.n_runs) == (200, 1200)
    assert variance_shares(runs, "loss").parts["reason"].unique().tolist() == [ONE_LEVEL]


def test_points_with_a_run_without_a_number_are_left_out_and_counted() -> None:
    runs = runs_of(np.random.default_rng(2).normal(size=(6, 1, 2)))
    runs.loc[0, "fid_ratio"] = np.nan
    runs.loc[2, "outcome"] = "diverged"
    runs.loc[4, "fid_ratio"] = np.inf
    assert within(runs)[["n_points", "n_runs", "n_left_out"]].tolist() == [3, 6, 6]
    assert within(runs, "success")[["n_points", "n_left_out"]].tolist() == [6, 0]


def test_parts_of_a_large_study_are_the_true_ones_and_add_up() -> None:
    found = parts(runs_of(drawn(np.random.default_rng(3), 1500, 2)))
    total = 1 + 2 / 3 + 1 / 4 + 1 / 9
    # levels are fixed: a third of the interaction's variance is common to a point's levels
    expected = np.array([1 + 1 / 12, 2 / 3, 1 / 4 * 2 / 3, 1 / 9]) / total
    np.testing.assert_allclose(found["estimate"].loc[list(PARTS)], expected, atol=0.03)
    assert found["estimate"].sum() == pytest.approx(1)
    assert ((found["ci_low"] < found["estimate"]) & (found["estimate"] < found["ci_high"])).all()


def test_a_factor_without_effect_has_an_interval_from_zero() -> None:
    generator = np.random.default_rng(4)
    found = parts(runs_of(generator.normal(size=(40, 1, 1)) + generator.normal(size=(40, 3, 2))))
    assert found.loc["factor", "ci_low"] == 0
    assert found.loc["factor", "ci_high"] < 0.1


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.random.default_rng(5).normal(size=(5, 1, 1)), ONE_SEED),
        (np.random.default_rng(5).normal(size=(2, 1, 2)), TOO_FEW),
        (np.zeros((5, 1, 2)), NO_VARIATION),
        (np.full((5, 1, 2), np.nan), TOO_FEW),
    ],
)
def test_what_cannot_be_split_says_why(values: NDArray[np.float64], reason: str) -> None:
    row = within(runs_of(values))
    assert np.isnan([row.estimate, row.ci_low, row.ci_high]).all()
    assert row.reason == reason


def test_seeds_that_differ_at_one_point_give_no_interval() -> None:
    values = np.array([[-1.0, -1.0]] * 4 + [[1.0, 1.0]] * 3 + [[-1.0, 1.0]])
    row = within(runs_of(values[:, None, :]), "success")
    assert row.estimate > 0.5
    assert np.isnan(row.ci_low)
    assert row.reason == ALL_BY_ONE


def test_levels_at_different_points_have_no_parts_but_shares_of_their_own() -> None:
    runs = runs_of(drawn(np.random.default_rng(6), 12, 2))
    apart = runs[(runs["point"] % 3) == runs["loss"].map({loss: place for place, loss in enumerate(LOSSES)})]
    result = variance_shares(apart, "loss")
    assert set(result.parts["reason"]) == {NOT_CROSSED}
    assert result.by_level.loc[result.by_level["response"] == FID, "estimate"].notna().all()


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        (runs_of(np.zeros((0, 1, 1))), NO_RUNS),
        (runs_of(np.random.default_rng(7).normal(size=(4, 3, 2)), adaptive=True), ADAPTIVE),
    ],
)
def test_without_runs_there_is_nothing_to_split(runs: pd.DataFrame, reason: str) -> None:
    result = variance_shares(runs, "loss")
    assert result.by_level.empty
    assert set(result.parts["reason"]) == {reason}


def binary(generator: np.random.Generator, points: int, seeds: int, share: float) -> NDArray[np.float64]:
    """Outcomes -1 (success) and 1 whose points have their own probabilities, with this correlation."""
    total = (1 - share) / share
    chance = generator.beta(0.3 * total, 0.7 * total, size=(points, 1))
    return np.where(generator.random((points, seeds)) < chance, -1.0, 1.0)[:, None, :]


def two_groups(generator: np.random.Generator, points: int, seeds: int, share: float) -> NDArray[np.float64]:
    """Points that either learn or do not, with noise of their own; variances as `share` says."""
    place = np.where(generator.random(points) < 0.3, -1.0, 1.0)[:, None, None]
    spread = np.sqrt(0.84 * (1 - share) / share)
    return place + spread * generator.normal(size=(points, 1, seeds))


@pytest.mark.slow
@pytest.mark.parametrize(("draw", "response"), [(binary, "success"), (two_groups, FID)])
@pytest.mark.parametrize(("share", "seeds"), [(0.3, 3), (0.6, 2)])
def test_intervals_cover_the_true_share(
    draw: Any, response: str, share: float, seeds: int, full: bool
) -> None:
    generator = np.random.default_rng(seeds + int(100 * share))
    studies, least, most = (150, 0.89, 0.99) if full else (80, 0.88, 1.0)
    rows = [within(runs_of(draw(generator, 64, seeds, share)), response) for _ in range(studies)]
    covered = np.mean([row.ci_low <= share <= row.ci_high for row in rows])
    assert least <= covered <= most  # .93 to .97, give or take two standard errors
