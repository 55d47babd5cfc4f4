from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability.statistics.best_of_k import NO_NUMBER, best_of, smallest_of
from stability.statistics.rates import ADAPTIVE, NO_RUNS

QUANTILES = np.array([0.1, 0.5, 0.9])


def runs_of(ratios: list[list[float]], **columns: Any) -> pd.DataFrame:
    """One row a run: the outer list is points, the inner one their seeds."""
    rows = [(point, ratio) for point, seeds in enumerate(ratios) for ratio in seeds]
    frame = pd.DataFrame(rows, columns=["point", "fid_ratio"])
    return frame.assign(**{"loss": "hinge", "adaptive": False, "outcome": "stable", **columns})


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_quantiles_of_the_smallest_are_those_over_all_subsets(values: list[int]) -> None:
    numbers = np.array(values, dtype=float)
    found = smallest_of(numbers, QUANTILES)
    for k in range(1, len(values) + 1):
        minima = np.sort([min(subset) for subset in combinations(numbers, k)])
        expected = [minima[int(np.ceil(q * len(minima) - 1e-9)) - 1] for q in QUANTILES]
        assert found[k - 1].tolist() == expected


def test_many_points_stay_exact() -> None:
    found = smallest_of(np.arange(5000, dtype=float), QUANTILES)
    assert found[0].tolist() == [499, 2499, 4499]
    assert found[-1].tolist() == [0, 0, 0]
    assert (np.diff(found, axis=0) <= 0).all()


def test_a_point_counts_by_the_median_of_its_seeds_in_logs() -> None:
    budget = best_of(runs_of([[4, 16], [20, 20]]), "loss")
    assert budget["k"].tolist() == [1, 2]
    assert budget["median"].tolist() == pytest.approx([8, 8])
    assert budget["high"].tolist() == pytest.approx([20, 8])
    assert (budget["n_points"].unique().tolist(), budget["n_runs"].unique().tolist()) == ([2], [4])


def test_diverged_runs_and_missing_values_are_infinitely_bad() -> None:
    runs = runs_of([[2.0, 2.0, 2.0], [np.nan, 3.0, np.nan], [5.0, np.inf, 5.0]])
    runs.loc[0:1, "outcome"] = "diverged"
    budget = best_of(runs, "loss").set_index("k")
    assert budget.loc[3, "median"] == pytest.approx(5)
    assert budget.loc[1, ["median", "high"]].isna().all()
    assert budget.loc[1, "low"] == pytest.approx(5)
    assert budget["reason"].tolist() == [NO_NUMBER, NO_NUMBER, ""]


def test_levels_keep_apart_and_no_number_at_all_is_said() -> None:
    runs = pd.concat([runs_of([[1.0]]), runs_of([[np.nan], [np.nan]], loss="minimax")], ignore_index=True)
    budget = best_of(runs, "loss")
    assert budget["loss"].tolist() == ["hinge", "minimax", "minimax"]
    assert budget["median"].isna().tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("runs", "reason"), [(runs_of([]), NO_RUNS), (runs_of([[1.0]], adaptive=True), ADAPTIVE)]
)
def test_without_runs_the_frame_is_empty_and_says_why(runs: pd.DataFrame, reason: str) -> None:
    budget = best_of(runs, "loss")
    assert budget.empty
    assert "median" in budget
    assert budget.attrs["reason"] == reason
