from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability.reading.typical_runs import filmstrip_rows, typical_runs


def runs_of(*rows: tuple[str, str, float, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["run", "outcome", "fid_excess", "step"])


def test_the_run_with_the_median_fid_excess_stands_for_its_outcome() -> None:
    runs = runs_of(("a", "stable", 9.0, 100), ("b", "stable", 2.0, 100), ("c", "stable", 5.0, 100))
    assert list(typical_runs(runs)["run"]) == ["c"]


@pytest.mark.parametrize("outcome", ["collapsed", "partial-collapse"])
def test_of_a_collapse_the_most_recognisable_run_is_shown(outcome: str) -> None:
    nan = float("nan")
    runs = runs_of(("a", outcome, 9.0, 30), ("b", outcome, 2.0, 10), ("c", outcome, 5.0, 20))
    chosen = typical_runs(runs).iloc[0]
    assert (chosen["run"], chosen["why"]) == ("b", "lowest FID excess of the 3")
    assert typical_runs(runs.assign(fid_excess=nan)).iloc[0]["run"] == "c"


def test_without_a_fid_excess_the_median_last_step_decides() -> None:
    nan = float("nan")
    runs = runs_of(("a", "diverged", nan, 10), ("b", "diverged", nan, 30), ("c", "diverged", nan, 20))
    chosen = typical_runs(runs).iloc[0]
    assert (chosen["run"], chosen["why"]) == ("c", "median last step of the 3")


def test_of_equal_runs_the_first_by_name_comes_first() -> None:
    runs = runs_of(("c", "stable", 1.0, 1), ("b", "stable", 1.0, 1), ("a", "stable", 1.0, 1))
    assert list(typical_runs(runs)["run"]) == list(typical_runs(runs[::-1])["run"]) == ["b"]
    assert list(typical_runs(runs[:2])["run"]) == ["b"]


def test_stable_comes_first_then_the_more_frequent() -> None:
    runs = runs_of(
        ("a", "collapsed", 9.0, 1),
        ("b", "saturated", 9.0, 1),
        ("c", "saturated", 8.0, 1),
        ("d", "stable", 1.0, 1),
    )
    assert list(typical_runs(runs)["outcome"]) == ["stable", "saturated", "collapsed"]
    assert list(typical_runs(runs, most=2)["run"]) == ["d", "c"]


def test_no_runs_have_no_typical_one() -> None:
    assert typical_runs(runs_of()).empty


def test_a_filmstrip_shows_the_first_the_last_and_the_onset() -> None:
    steps = list(range(100, 3001, 100))
    rows = filmstrip_rows(steps, [1500])
    shown = [steps[row] for row in rows]
    assert {100, 1400, 1500, 1600, 3000} <= set(shown)
    assert len(rows) == 8


@given(st.lists(st.integers(0, 5000), unique=True), st.lists(st.integers(0, 5000)), st.integers(2, 10))
def test_rows_are_rising_within_the_film_and_as_many_as_there_is_room(
    steps: list[int], moments: list[int], most: int
) -> None:
    rows = filmstrip_rows(sorted(steps), moments, most=most)
    assert rows == sorted(set(rows))
    assert len(rows) == min(most, len(steps))
    assert set(rows) <= set(range(len(steps)))
