from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.survfunc import CumIncidenceRight

from stability.outcomes import label
from stability.questions.time_to_event.incidence import (
    CUT_SHORT,
    NEVER_WELL,
    NONE_TO_RECOVER,
    NOT_HALF,
    ONE_KIND,
    STOPPED,
    Incidence,
    first_ends,
    incidence,
)
from stability.reading.frames import with_event_flags
from stability.records import Evaluation, Event, History
from stability.spec import Thresholds
from stability.statistics.rates import ADAPTIVE, COLUMNS, rate

VISITS = pd.DataFrame({"run": "any", "step": np.arange(100, 501, 100)})


def runs_of(outcomes: list[str], **columns: Any) -> pd.DataFrame:
    """One run a point, named by its place."""
    n = len(outcomes)
    defaults: dict[str, Any] = {
        "run": [f"r{place}" for place in range(n)],
        "point": range(n),
        "loss": "hinge",
        "adaptive": False,
        "outcome": outcomes,
        "step": 500,
        "stopped": False,
        "divergence_step": pd.array([None] * n, dtype="Int64"),
    }
    return pd.DataFrame({**defaults, **columns}, index=range(n))


def events_of(*rows: tuple[str, str, int, int | None], never_good: bool = False) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=["run", "kind", "onset", "recovery"])
    return frame.astype({"recovery": "Int64"}).assign(never_good=never_good)


def mixed() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Collapse at 200 and back at 400; saturation at 300; diverged at 150; stopped at 300; quiet; quiet."""
    runs = runs_of(
        ["stable", "saturated", "diverged", "noise", "stable", "stable"],
        step=[500, 500, 150, 300, 500, 500],
        stopped=[False, False, True, True, False, False],
        divergence_step=pd.array([None, None, 150, None, None, None], dtype="Int64"),
    )
    return runs, events_of(("r0", "collapse", 200, 400), ("r1", "saturation", 300, None))


def test_each_run_counts_under_what_it_met_first() -> None:
    ends = first_ends(*mixed(), "collapse")
    assert ends["end"].tolist()[:4] == ["collapse", "saturation", "diverged", STOPPED]
    assert ends["end"].isna().tolist()[4:] == [True, True]
    assert ends["step"].tolist() == [200, 300, 150, 300, np.inf, np.inf]


def test_at_one_visit_the_event_comes_before_saturation_and_both_before_a_stop() -> None:
    runs = runs_of(["collapsed", "saturated"], step=300, stopped=True)
    events = events_of(
        ("r0", "saturation", 300, None), ("r0", "collapse", 300, None), ("r1", "saturation", 300, None)
    )
    assert first_ends(runs, events, "collapse")["end"].tolist() == ["collapse", "saturation"]


def test_shares_of_ends_are_the_shares_of_runs() -> None:
    result = incidence(*mixed(), VISITS, "loss")
    table = result.ends.pivot(index="step", columns="end", values="runs")
    assert table["collapse"].tolist() == [0, 1, 1, 1, 1]
    assert table["diverged"].tolist() == [0, 1, 1, 1, 1]
    assert table["saturation"].tolist() == table[STOPPED].tolist() == [0, 0, 1, 1, 1]
    last = result.ends[result.ends["step"] == 500].set_index("end")
    expected = rate(mixed()[0], pd.Series([True, *[False] * 5])).iloc[0]
    assert last.loc["collapse", ["estimate", "ci_low", "ci_high", "n_points"]].tolist() == pytest.approx(
        expected[["estimate", "ci_low", "ci_high", "n_points"]].tolist()
    )


def random_study(generator: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    n = 40
    outcomes = generator.choice(["stable", "diverged"], size=n, p=[0.7, 0.3])
    bad = [
        int(step) if end == "diverged" else None
        for step, end in zip(generator.integers(1, 500, n), outcomes, strict=True)
    ]
    kinds = generator.choice(["collapse", "saturation", "none"], size=n)
    onsets = 100 * generator.integers(1, 6, n)
    rows = [
        (f"r{place}", kind, int(onset), None)
        for place, (kind, onset) in enumerate(zip(kinds, onsets, strict=True))
        if kind != "none" and onset < (bad[place] or 1000)
    ]
    step = [500 if end is None else end for end in bad]
    runs = runs_of(outcomes.tolist(), step=step, divergence_step=pd.array(bad, dtype="Int64"))
    return runs, events_of(*rows)


@pytest.mark.parametrize("seed", range(4))
def test_shares_of_ends_are_aalen_and_johansens_cumulative_incidence(seed: int) -> None:
    runs, events = random_study(np.random.default_rng(seed))
    result, ends = incidence(runs, events, VISITS, "loss"), first_ends(runs, events, "collapse")
    kinds = list(dict.fromkeys(result.ends["end"]))
    status = np.array([kinds.index(end) + 1 if isinstance(end, str) else 0 for end in ends["end"]])
    at_visit = np.ceil(np.where(status > 0, ends["step"], 500) / 100) * 100
    reference = CumIncidenceRight(at_visit, status)
    for place, kind in enumerate(kinds):
        mine = result.ends[result.ends["end"] == kind].set_index("step")["estimate"]
        np.testing.assert_allclose(mine.loc[reference.times], reference.cinc[place], atol=1e-12)


def test_prevalence_falls_with_a_recovery_and_a_divergence_and_stays_after_a_stop() -> None:
    runs = runs_of(
        ["stable", "diverged", "collapsed", "stable"],
        step=[500, 350, 300, 500],
        stopped=[False, True, True, False],
        divergence_step=pd.array([None, 350, None, None], dtype="Int64"),
    )
    events = events_of(
        ("r0", "collapse", 100, 200),
        ("r0", "collapse", 500, None),
        ("r1", "collapse", 200, None),
        ("r2", "collapse", 300, None),
    )
    prevalence = incidence(runs, events, VISITS, "loss").prevalence
    assert (4 * prevalence["estimate"]).tolist() == [1, 1, 2, 1, 2]
    assert (prevalence["n_runs"] == 4).all()


def test_the_last_prevalence_is_the_rate_of_collapses_at_the_horizon() -> None:
    runs = runs_of(
        ["stable", "diverged", "collapsed", "diverged", "collapsed"],
        step=[500, 350, 300, 500, 500],
        stopped=[False, True, True, False, False],
        divergence_step=pd.array([None, 350, None, 500, None], dtype="Int64"),
    )
    events = events_of(*((f"r{place}", "collapse", 200, 300 if place == 0 else None) for place in range(5)))
    last = incidence(runs, events, VISITS, "loss").prevalence.iloc[-1]
    assert last["estimate"] == 2 / 5
    expected = rate(with_event_flags(runs, events), "collapse_at_horizon").iloc[0]
    assert last[list(COLUMNS)].tolist() == expected[list(COLUMNS)].tolist()


def recoveries(*waits: int | None, never: int = 0, stopped: int = 0) -> pd.Series:
    """Collapses at 100, each over after so long or not at all: of losses, then of runs that were never good.

    Of the losses that were not over, the first ones are stopped for it at 400.
    """
    runs = runs_of(["stable"] * (len(waits) + never))
    cut = [place for place, wait in enumerate(waits) if wait is None][:stopped]
    runs.loc[cut, ["outcome", "stopped", "step"]] = ["collapsed", True, 400]
    rows = [(f"r{place}", "collapse", 100, wait and 100 + wait) for place, wait in enumerate(waits)]
    dead = [(f"r{len(waits) + place}", "collapse", 100, None) for place in range(never)]
    events = pd.concat([events_of(*rows), events_of(*dead, never_good=True)])
    return incidence(runs, events, VISITS, "loss").recoveries.iloc[0]


def test_runs_that_were_never_good_cannot_recover_and_are_counted_apart() -> None:
    row = recoveries(100, 100, None, never=5)
    assert (row.had, row.never_good, row.lost, row.recovered, row.stopped) == (8, 5, 3, 2, 0)
    assert (row.estimate, row.n_runs, row.n_points) == (2 / 3, 3, 3)
    assert row.median_steps == 100
    only = recoveries(never=5)
    assert (only.had, only.never_good, only.lost) == (5, 5, 0)
    assert (only.reason, only.median_reason) == (NEVER_WELL, NEVER_WELL)
    assert np.isnan(only.estimate)


def test_where_runs_were_stopped_for_it_no_share_recovers_but_all_are_counted() -> None:
    row = recoveries(100, 100, None, None, None, stopped=2, never=1)
    assert (row.had, row.lost, row.stopped, row.recovered, row.n_runs) == (6, 5, 2, 2, 3)
    assert np.isnan([row.estimate, row.ci_low, row.ci_high]).all()
    assert row.reason == CUT_SHORT.format(2, 5)
    every = recoveries(None, None, stopped=2)
    assert (every.stopped, every.n_runs, every.reason) == (2, 0, CUT_SHORT.format(2, 2))
    assert every.median_reason == NOT_HALF


def test_a_stop_for_something_else_is_no_stop_for_the_event() -> None:
    runs = runs_of(["saturated", "diverged", "stable"], stopped=[True, True, False], step=[300, 300, 500])
    rows = [(f"r{place}", "collapse", 100, 200 if place == 2 else None) for place in range(3)]
    row = incidence(runs, events_of(*rows), VISITS, "loss").recoveries.iloc[0]
    assert (row.stopped, row.lost, row.recovered) == (0, 3, 1)
    assert row.estimate == 1 / 3


def labelled(diversity: list[float]) -> list[Event]:
    """The collapses that the rules see in a run whose samples are good at a visit if they are diverse."""
    even: dict[str, Any] = {field.name: 0.5 for field in fields(Evaluation)}
    even |= {"run": "r0", "features": "mnist_cnn", "n_samples": 512, "n_modes": 10, "sized": {}}
    even |= {"class_shares": (0.1,) * 10, "precision": 0.6, "fid_excess": 2.0}
    visits = tuple(
        Evaluation(**even | {"step": 100 * place, "diversity": value, "modes": 10 if value > 0.5 else 1})
        for place, value in enumerate(diversity, start=1)
    )
    history = History("r0", (), visits, None, 100 * len(diversity))
    found = label(history, Thresholds(), horizon=history.last_step).events
    return [event for event in found if event.kind == "collapse"]


@pytest.mark.parametrize(
    ("diversity", "never_good"),
    [
        ([0.02] * 6, 1),
        ([0.9, 0.9, 0.02, 0.02, 0.02, 0.02], 0),
        ([0.02, 0.02, 0.9, 0.9, 0.02, 0.9], 0),
    ],
)
def test_the_rules_themselves_tell_who_was_never_good(diversity: list[float], never_good: int) -> None:
    events = pd.DataFrame(labelled(diversity)).astype({"recovery": "Int64"})
    assert len(events) == 1
    row = incidence(runs_of(["stable"], step=600), events, VISITS, "loss").recoveries.iloc[0]
    assert (row.never_good, row.lost) == (never_good, 1 - never_good)


def test_recoveries_are_shares_of_the_runs_that_had_the_event() -> None:
    row = recoveries(100, 300, None, None)
    assert (row.had, row.recovered, row.estimate, row.n_runs) == (4, 2, 0.5, 4)
    assert row.ci_low < 0.5 < row.ci_high


def test_the_median_wait_counts_runs_that_do_not_recover() -> None:
    assert recoveries(100, 100, 300, None).median_steps == 100
    assert recoveries(100, 200, 300, None).median_steps == 200
    row = recoveries(100, None, None)
    assert np.isnan(row.median_steps)
    assert row.median_reason == NOT_HALF


def test_nobody_to_recover_is_not_estimable() -> None:
    row = incidence(runs_of(["stable"] * 3), events_of(), VISITS, "loss").recoveries.iloc[0]
    assert np.isnan(row.estimate)
    assert (row.had, row.reason, row.median_reason) == (0, NONE_TO_RECOVER, NONE_TO_RECOVER)


def ends_are_empty(result: Incidence) -> bool:
    return result.ends.empty and "estimate" in result.ends


def test_a_single_kind_of_end_does_not_compete() -> None:
    result = incidence(runs_of(["stable"] * 3), events_of(("r0", "collapse", 200, None)), VISITS, "loss")
    assert ends_are_empty(result)
    assert result.reason == ONE_KIND


def test_a_search_has_no_rates() -> None:
    result = incidence(runs_of(["stable"], adaptive=True), events_of(), VISITS, "loss")
    assert ends_are_empty(result)
    assert (result.reason, len(result.prevalence), len(result.recoveries)) == (ADAPTIVE, 0, 0)
