from __future__ import annotations

import numpy as np
import pytest

from stability.page_kit.estimate import Cell, Estimate, cell_of
from stability.page_kit.words import NOTHING, signed, steps


def test_all_and_none_are_said_in_words() -> None:
    assert [Estimate(estimate, 0, 1, 6, 12).some_of() for estimate in (0.0, 0.25, 1.0)] == [
        "none of 12 runs",
        "25% of 12 runs",
        "all of 12 runs",
    ]


def row(**values: object) -> dict[str, object]:
    return {"estimate": 0.5, "ci_low": 0.4, "ci_high": 0.6, "reason": ""} | values


@pytest.mark.parametrize(
    ("values", "cell"),
    [
        ({}, Cell(".50", "[.40, .60]")),
        ({"estimate": 0.0, "ci_low": 0.0, "ci_high": 0.05}, Cell("0", "[0, .05]")),
        ({"ci_low": np.nan, "ci_high": np.nan, "reason": "one"}, Cell(".50", "[no interval]", "one")),
        ({"estimate": np.nan, "reason": "no runs"}, Cell(NOTHING, "", "no runs")),
    ],
)
def test_a_rate_is_a_share_over_its_interval_or_a_reason(values: dict[str, object], cell: Cell) -> None:
    assert cell_of(row(**values)) == cell


def test_the_same_estimate_is_written_in_the_form_of_its_unit() -> None:
    difference = Estimate(-0.05, -0.2, 0.1, 8, 16)
    assert difference.text(signed) == "−.05 [−.20, +.10]"
    assert Estimate(412.4, 399.6, 430.2).cell(steps) == Cell("412", "[400, 430]")
    assert Estimate(0.5, np.nan, np.nan).text() == ".50 [no interval]"


def test_a_share_that_rests_on_too_little_is_told_as_a_count() -> None:
    assert Estimate(0.25, 0.1, 0.5, 6, 12).of_runs() == "25% (10 to 50%) of 12 runs"
    assert Estimate(0.25, 0.05, 0.9, 6, 12).of_runs() == "3 of 12 runs"
    assert Estimate(1.0, 0.8, 1.0, 6, 12).of_runs() == "all of 12 runs (80 to 100%)"
    assert Estimate(1.0, np.nan, np.nan, 1, 2).of_runs() == "all 2 runs"


def test_a_bound_on_one_side_has_no_other_end() -> None:
    bound = Estimate.of({"estimate": 0.9, "ci_low": 0.7, "n_points": 5, "n_runs": 10, "reason": ""})
    assert (bound.ci_low, bound.n_runs, bound.is_known) == (0.7, 10, True)
    assert np.isnan(bound.ci_high)
