from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_study import make_store

from stability.outcomes import label
from stability.outcomes.stop_rule import STOP_RULES, STOP_THRESHOLDS
from stability.questions.early_stop.estimate import (
    MOST_RUNS,
    NONE_STOPPED,
    QUANTITIES,
    REALLY_STOPPED,
    EarlyStops,
    early_stops,
    packaged_facts,
    stops_of,
)
from stability.reading.frames import load
from stability.reading.histories import NO_HISTORIES
from stability.records import Evaluation, History, Record
from stability.spec import Thresholds
from stability.statistics.rates import ADAPTIVE, COLUMNS, NO_RUNS, rate

HORIZON, EVERY, VISITS = 1000, 100, 10
BOTH = "saturated or collapsed"


def history(run: str, modes: Sequence[int], separation: float = 0.8, update: float = 0.5) -> History:
    """A run with a visit every `EVERY` steps, healthy but for what is said of it."""
    even: dict[str, Any] = {field.name: 0.5 for field in fields(Record)}
    layers = {name: () for name in even if name.startswith("layer_")}
    metrics: dict[str, Any] = {field.name: 0.5 for field in fields(Evaluation)}
    good = {"n_modes": 10, "precision": 0.6, "diversity": 0.9, "separation": separation, "fid_excess": 0.05}
    good |= {"class_shares": (0.1,) * 10, "sized": {}, "features": "mnist_cnn", "n_samples": 512}
    steps = [EVERY * (place + 1) for place in range(len(modes))]
    trained = {"penalty": None, "generator_update": update}
    return History(
        run,
        tuple(Record(**even | layers | trained | {"run": run, "step": step}) for step in steps),
        tuple(
            Evaluation(**metrics | good | {"run": run, "step": step, "modes": found})
            for step, found in zip(steps, modes, strict=True)
        ),
        None,
        steps[-1],
    )


HEALTHY, LOST = [9] * VISITS, [9] * 3 + [2] * 7
MENDED = [9] * 3 + [2] * 4 + [8] * 3
"""Lost from the fourth visit on: a collapse has lasted at step 600. Nearly stable at the end."""


def studied(
    make: Callable[[str], History], n_points: int = 8, stop_on: tuple[str, ...] = (), **columns: Any
) -> EarlyStops:
    """Two runs a point, `<point>-<replicate>`, labelled by the default rules."""
    kept = {item.run: item for item in (make(f"{point}-{k}") for point in range(n_points) for k in range(2))}
    results = {run: label(item, Thresholds(), horizon=HORIZON) for run, item in kept.items()}
    defaults = {
        "run": list(kept),
        "point": [int(run.split("-")[0]) for run in kept],
        "outcome": [str(result.outcome) for result in results.values()],
        "step": HORIZON,
        "stopped": False,
        "adaptive": False,
        "n_dis": 1,
        "n_gen": 1,
    }
    return early_stops(
        pd.DataFrame(defaults | columns),
        lambda names: [kept[name] for name in names],
        thresholds=Thresholds(),
        horizon=HORIZON,
        rng=np.random.default_rng(0),
        stop_on=stop_on,
    )


def mixed(run: str) -> History:
    """Of each point one run is healthy; the other is lost for good, mended, or saturated, point by point."""
    point, replicate = map(int, run.split("-"))
    if replicate == 0:
        return history(run, HEALTHY)
    if point % 4 == 3:
        return history(run, HEALTHY, separation=1.0, update=0.0)
    return history(run, MENDED if point % 4 == 0 else LOST)


def row(result: EarlyStops, rule: str, quantity: str) -> pd.Series:
    rates = result.rates
    return rates[(rates["rule"] == rule) & (rates["quantity"] == quantity)].iloc[0]


def test_a_stop_is_false_where_the_run_trained_on_to_something_else() -> None:
    """Of 16 runs 2 are saturated, 4 collapsed for good and 2 come back: 8 stops, 2 of them false."""
    result = studied(mixed)
    counts = {
        (rule, name): int(row(result, rule, name)["runs"])
        for rule in STOP_RULES
        for name in ("stopped", "false_stops")
    }
    assert counts == {
        ("saturated", "stopped"): 2,
        ("saturated", "false_stops"): 0,
        ("collapsed", "stopped"): 6,
        ("collapsed", "false_stops"): 2,
        (BOTH, "stopped"): 8,
        (BOTH, "false_stops"): 2,
    }
    stops = result.stops[result.stops["rule"] == BOTH]
    assert set(stops.loc[stops["reason"] == "partial-collapse", "step"]) == {600}
    assert set(stops.loc[stops["reason"] == "saturated", "step"]) == {300}
    assert set(stops.loc[stops["is_false"], "outcome"]) == {"nearly-stable"}
    assert set(stops.loc[stops["is_false"], "point"]) == {0, 4}


def test_rates_have_points_as_clusters_and_their_own_denominators() -> None:
    result = studied(mixed)
    stops = result.stops[result.stops["rule"] == BOTH].assign(adaptive=False)
    expected = rate(stops, stops["is_false"]).iloc[0]
    assert row(result, BOTH, "false_stops")[list(COLUMNS)].tolist() == expected[list(COLUMNS)].tolist()
    assert row(result, BOTH, "stopped")[["estimate", "n_runs"]].tolist() == [0.5, 16]
    assert row(result, BOTH, "success_stops")["estimate"] == 2 / 8
    wrongly = row(result, BOTH, "wrongly_stopped")
    assert (wrongly["estimate"], wrongly["n_runs"]) == (2 / 10, 10)


def test_updates_saved_are_those_after_each_runs_own_stop() -> None:
    result = studied(mixed)
    saved = row(result, BOTH, "compute_saved")
    assert saved["estimate"] == pytest.approx((6 * 400 + 2 * 700) / (16 * 1000))
    assert saved["ci_low"] < saved["estimate"] < saved["ci_high"]


def test_a_run_that_was_really_stopped_counts_for_nothing() -> None:
    """Without its own ending nobody knows whether the stop was false; a diverged run has ended."""
    stopped = [place % 4 == 1 for place in range(16)]
    result = studied(mixed, stopped=stopped)
    assert (result.n_runs, result.n_available, result.n_cut) == (12, 12, 4)
    assert row(result, BOTH, "stopped")["runs"] == 4
    diverged = ["diverged"] * 16
    assert studied(mixed, stopped=stopped, outcome=diverged).n_runs == 16
    assert row(studied(mixed, outcome=diverged), BOTH, "false_stops")["estimate"] == 0


def test_a_rule_that_the_study_used_is_not_judged_by_what_it_left() -> None:
    result = studied(mixed, stop_on=("diverged", "collapsed"))
    for rule in ("collapsed", BOTH):
        found = row(result, rule, "false_stops")
        assert np.isnan(found["estimate"])
        assert found["reason"] == REALLY_STOPPED.format("collapsed")
    assert row(result, "saturated", "stopped")["runs"] == 2


def test_why_there_is_no_rate() -> None:
    none = studied(lambda run: history(run, HEALTHY))
    assert row(none, BOTH, "stopped")["estimate"] == 0
    assert row(none, BOTH, "false_stops")["reason"] == NONE_STOPPED
    assert set(studied(mixed, adaptive=True).rates["reason"]) == {ADAPTIVE}
    empty = studied(mixed, n_points=0)
    assert set(empty.rates["reason"]) == {NO_RUNS}
    frame = pd.DataFrame({"run": ["a"], "point": 0, "outcome": "stable", "stopped": False, "adaptive": False})
    unkept = early_stops(
        frame, lambda names: (), thresholds=Thresholds(), horizon=9, rng=np.random.default_rng(0)
    )
    assert set(unkept.rates["reason"]) == {NO_HISTORIES}
    for result in (none, empty, unkept):
        assert list(result.rates["quantity"]) == [*QUANTITIES] * len(STOP_RULES)


def test_of_many_runs_whole_points_are_replayed() -> None:
    n_points = MOST_RUNS // 2 + 5
    result = studied(lambda run: history(run, HEALTHY), n_points=n_points)
    assert result.n_available == 2 * n_points
    assert result.n_runs == MOST_RUNS
    assert row(result, BOTH, "stopped")["n_points"] == MOST_RUNS // 2


def test_the_packaged_facts_are_those_of_a_stored_study(tmp_path: Path) -> None:
    frames = load(make_store(tmp_path / "results").folder)
    result = stops_of(frames, frames.runs)
    facts = packaged_facts(frames, result)
    assert facts["study"] == frames.name
    assert facts["n_runs"] == result.n_runs == len(frames.runs) - result.n_cut
    assert facts["thresholds"] == {name: getattr(frames.spec.outcomes, name) for name in STOP_THRESHOLDS}
    for rule, found in facts["rules"].items():
        stops = result.stops[result.stops["rule"] == rule]
        assert (found["stops"], found["false_stops"]) == (len(stops), int(stops["is_false"].sum()))
