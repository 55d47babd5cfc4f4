from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stability.questions.comparison.estimate import Family, compare_levels
from stability.questions.outcomes.verdict import Verdict, verdict
from stability.statistics.rates import SUCCESS, rate


def compared(**outcomes: list[str]) -> pd.DataFrame:
    """One run a point, for every loss the outcomes in order."""
    rows = [
        {"loss": loss, "point": point, "outcome": outcome, "adaptive": False}
        for loss, results in outcomes.items()
        for point, outcome in enumerate(results)
    ]
    return pd.DataFrame(rows)


def of_success(n: int, other: str = "diverged", of: int = 40) -> list[str]:
    """So many ended well, every other one nearly stable."""
    return ["nearly-stable" if place % 2 else "stable" for place in range(n)] + [other] * (of - n)


def test_the_best_is_named_with_those_it_cannot_be_told_from() -> None:
    found = verdict(compared(hinge=of_success(2), minimax=of_success(30), wasserstein=of_success(26)), "loss")
    assert found.best == ("minimax",)
    assert found.overlapping == ("wasserstein",)
    assert found.below == ("hinge",)


def test_the_best_one_s_interval_holds_for_all_levels_at_once() -> None:
    runs = compared(hinge=of_success(20), minimax=of_success(30))
    found = verdict(runs, "loss").success.iloc[0]
    alone = rate(runs[runs["loss"] == "minimax"], SUCCESS).iloc[0]
    wide = rate(runs[runs["loss"] == "minimax"], SUCCESS, confidence=0.975).iloc[0]
    assert found["ci_low"] < alone["ci_low"]
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((wide["ci_low"], wide["ci_high"]))


def test_a_tie_names_all_of_the_best() -> None:
    found = verdict(compared(hinge=of_success(20), minimax=of_success(20)), "loss")
    assert found.best == ("hinge", "minimax")
    assert found.overlapping == found.above == found.below == ()


def test_beside_a_baseline_levels_are_held_against_it_and_not_against_the_best() -> None:
    runs = compared(plain=of_success(20), good=of_success(38), near=of_success(19), bad=of_success(1))
    family = Family("plain")
    paired = compare_levels(runs, "loss", SUCCESS, crossed=True, rng=np.random.default_rng(0), family=family)
    found = verdict(runs, "loss", paired)
    assert found.baseline == "plain"
    assert (found.above, found.below, found.overlapping) == (("good",), ("bad",), ("near",))
    assert found.best == ("good",)
    nothing = compare_levels(
        runs[runs["loss"] != "plain"],
        "loss",
        SUCCESS,
        crossed=True,
        rng=np.random.default_rng(0),
        family=family,
    )
    assert verdict(runs, "loss", nothing).baseline is None  # as long as it has no run


def test_failures_are_ranked_and_learning_is_none_of_them() -> None:
    found = verdict(
        compared(hinge=["nearly-stable", "learning", "learning", "collapsed", "saturated", "saturated"]), None
    )
    assert list(found.failures["event"]) == ["saturated", "collapsed"]
    assert found.learning["estimate"].iloc[0] == pytest.approx(1 / 3)
    assert found.best == ()


def test_a_search_has_no_verdict() -> None:
    found = verdict(compared(hinge=of_success(3)).assign(adaptive=True), "loss")
    assert isinstance(found, Verdict)
    assert not found.estimable
    assert found.best == ()
    assert found.failures.empty
