from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stability.statistics.fit_rows import HELD_OUT_COLUMNS, fit_rows, held_out
from stability.statistics.gaussian_process import smooth_kernel

POINTS, SEEDS = 20, 3


def made() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    place = np.repeat(rng.random(POINTS), SEEDS)
    well = np.tile(["stable", "nearly-stable", "stable"], POINTS)
    outcome = np.where(rng.random(len(place)) < place, well, "diverged")
    runs = pd.DataFrame({"point": np.repeat(np.arange(POINTS), SEEDS), "outcome": outcome})
    return runs, place[:, None]


def unseen(runs: pd.DataFrame, inputs: np.ndarray, *, optimise: bool = True, most: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    rows = fit_rows(runs, inputs, most, rng)
    return held_out(rows, smooth_kernel(1, 0), 5, rng, optimise=optimise)


def test_one_run_of_each_point_is_used_and_all_are_predicted() -> None:
    runs, inputs = made()
    rows = fit_rows(runs, inputs, 300, np.random.default_rng(0))
    assert sorted(rows.points[rows.used]) == list(range(POINTS))
    found = unseen(runs, inputs)
    assert list(found) == [*HELD_OUT_COLUMNS, "fold"]
    assert found.groupby("point").size().tolist() == [SEEDS] * POINTS
    assert (found["happened"].sort_index() == runs["outcome"].ne("diverged")).all()


def test_the_runs_of_a_point_share_a_fold_and_a_prediction() -> None:
    found = unseen(*made()).groupby("point")[["fold", "predicted"]].nunique()
    assert (found == 1).all(axis=None)


@pytest.mark.parametrize("optimise", [True, False])
def test_what_a_point_did_is_not_in_its_own_prediction(optimise: bool) -> None:
    runs, inputs = made()
    before = unseen(runs, inputs, optimise=optimise).groupby("point")["predicted"].first()
    changed = runs.assign(outcome=runs["outcome"].where(runs["point"] != 7, "stable"))
    other = runs.assign(outcome=runs["outcome"].where(runs["point"] != 7, "diverged"))
    for case in (changed, other):
        after = unseen(case, inputs, optimise=optimise).groupby("point")["predicted"].first()
        assert after[7] == before[7]
    assert not np.allclose(after, before)  # it is in those of others


def test_of_many_points_some_are_drawn_and_no_others_predicted() -> None:
    runs, inputs = made()
    assert unseen(runs, inputs, most=12)["point"].nunique() == 12
