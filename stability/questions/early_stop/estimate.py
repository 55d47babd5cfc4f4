"""What `training.stop_on` would have stopped among runs that trained on: how often wrongly, what it saves.

The rule is replayed on stored histories, visit by visit, as it works in training; nothing is trained.
Adaptive runs never enter. Frames in, frames out; imports the store and the rules, neither torch nor optuna.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from stability.outcomes.course import course_of
from stability.outcomes.stop_rule import STOP_RULES, STOP_THRESHOLDS, STOPPED_FOR, replay_course_stops
from stability.questions.early_warning.estimate import compute_saved
from stability.questions.question import seeded
from stability.reading.frames import StudyFrames
from stability.reading.histories import NO_HISTORIES, HistoriesOf, histories_of, sample_points
from stability.records import SUCCESSES, Outcome
from stability.spec import Thresholds
from stability.statistics.out_of_fold import missing
from stability.statistics.rates import COLUMNS, designed, none_designed, rate

QUANTITIES = ("stopped", "false_stops", "success_stops", "wrongly_stopped", "compute_saved")
MOST_RUNS = 400
"""Of more runs a random part is replayed, whole points at a time: histories are most of a study's bytes."""

REALLY_STOPPED = "not estimable: the study itself stops runs when {}, so none of them was trained on"
NONE_STOPPED = "not estimable: the rule would have stopped no run"
NONE_WELL = "not estimable: every run ended diverged, saturated or collapsed"


@dataclass(frozen=True)
class EarlyStops:
    """The stopping rules on trial: `STOP_RULES`, each as if it had been the study's own."""

    rates: pd.DataFrame
    """`rule, quantity, runs` (how many it happened to) and `rate`'s columns. Of all runs, `stopped`. Of the
    stopped, `false_stops`: trained on, they ended neither diverged, saturated nor collapsed; and of the
    stopped again, the successes, `success_stops`. Of all runs that so ended otherwise,
    `wrongly_stopped`. Of the updates of all runs, `compute_saved` (its `runs` are those stopped)."""
    stops: pd.DataFrame
    """One row for each rule and run that it would have stopped: `rule, run, point, step, reason, outcome`
    (its label at the horizon), `is_false`."""
    n_runs: int
    n_available: int
    """Drawn beforehand, and trained to the horizon or until they diverged."""
    n_cut: int
    """Runs that the study itself stopped before they diverged: their ends are unknown, none is counted."""


def early_stops(
    runs: pd.DataFrame,
    histories_of: HistoriesOf,
    *,
    thresholds: Thresholds,
    horizon: int,
    rng: np.random.Generator,
    stop_on: tuple[str, ...] = (),
) -> EarlyStops:
    """Replay each rule on runs that trained on; `stop_on` is what the study itself stopped for.

    A run that the study stopped is left out unless it diverged, for a divergence is the end of any run.
    """
    fixed = designed(runs)
    cut = fixed["stopped"].astype(bool) & (fixed["outcome"] != Outcome.DIVERGED)
    used = sample_points(fixed[~cut], MOST_RUNS, rng).set_index("run", drop=False)
    replays = _replays(histories_of, used, thresholds, horizon)
    used = used[used.index.isin(replays.index)]
    why = none_designed(runs) if fixed.empty else NO_HISTORIES
    rates, stops = [], []
    for rule, names in STOP_RULES.items():
        own = sorted(names & set(stop_on))
        reason = REALLY_STOPPED.format(" or ".join(own)) if own else "" if len(used) else why
        found = _stopped_runs(used, replays[rule])
        rates.append((_no_rates(reason) if reason else _rates(used, found)).assign(rule=rule))
        stops.append(found.assign(rule=rule))
    return EarlyStops(
        rates=pd.concat(rates, ignore_index=True)[["rule", "quantity", "runs", *COLUMNS]],
        stops=pd.concat(stops, ignore_index=True)[list(_STOP_COLUMNS)],
        n_runs=len(used),
        n_available=int((~cut).sum()),
        n_cut=int(cut.sum()),
    )


def stops_of(frames: StudyFrames, runs: pd.DataFrame) -> EarlyStops:
    """The early stop on trial on a study's runs; those that `sensitivity` draws, where both draw."""
    return early_stops(
        runs,
        histories_of(frames),
        thresholds=frames.spec.outcomes,
        horizon=frames.plan.horizon,
        rng=seeded(5),
        stop_on=frames.spec.training.stop_on,
    )


def packaged_facts(frames: StudyFrames, stops: EarlyStops) -> dict[str, Any]:
    """What `data/stop_rule.json` says: the false stops of every rule, and the study that they rest on."""
    spec = frames.spec
    return {
        "version": 1,
        "study": frames.name,
        "dataset": spec.dataset,
        "steps": spec.training.steps,
        "evaluate_every": spec.recording.evaluate_every,
        "thresholds": {name: getattr(spec.outcomes, name) for name in STOP_THRESHOLDS},
        "n_runs": stops.n_runs,
        "n_points": int(frames.runs["point"].nunique()),
        "success": {name: getattr(spec.outcomes, name) for name in ("nearly_excess", "nearly_modes")},
        "n_success": int(frames.runs["outcome"].isin(SUCCESSES).sum()),
        "rules": {rule: _rule_facts(stops.rates[stops.rates["rule"] == rule]) for rule in STOP_RULES},
    }


_STOP_COLUMNS = ("rule", "run", "point", "step", "reason", "outcome", "is_false")


def _replays(
    histories_of: HistoriesOf, used: pd.DataFrame, thresholds: Thresholds, horizon: int
) -> pd.DataFrame:
    """Where each rule (columns) would have stopped each run (rows): a `Stop`, or None."""
    rows = {}
    for history in histories_of(list(used["run"])):
        course = course_of(history)
        rules = list(STOP_RULES.values())
        rows[history.run] = replay_course_stops(course, thresholds, rules, horizon=horizon)
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(STOP_RULES), dtype=object)


def _stopped_runs(used: pd.DataFrame, replay: pd.Series) -> pd.DataFrame:
    stops = replay.loc[used.index]
    stops = stops[stops.notna()]
    found = used.loc[stops.index, ["run", "point", "adaptive", "outcome"]]
    return found.assign(
        step=[stop.step for stop in stops],
        reason=[str(stop.reason) for stop in stops],
        is_false=~found["outcome"].isin(STOPPED_FOR),
    )


def _rates(used: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    stopped = pd.Series(used.index.isin(found.index), index=used.index)
    otherwise = used[~used["outcome"].isin(STOPPED_FOR)]
    at = found["step"].reindex(used.index).fillna(used["step"]).astype("float64")
    rows = {
        "stopped": rate(used, stopped),
        "false_stops": _rate(found, found["is_false"], NONE_STOPPED),
        "success_stops": _rate(found, found["outcome"].isin(SUCCESSES), NONE_STOPPED),
        "wrongly_stopped": _rate(otherwise, stopped[otherwise.index], NONE_WELL),
        "compute_saved": compute_saved(used, stopped, at),
    }
    n_false, n_success = int(found["is_false"].sum()), int(found["outcome"].isin(SUCCESSES).sum())
    counts = dict(zip(QUANTITIES, (len(found), n_false, n_success, n_false, len(found)), strict=True))
    return pd.concat([row.assign(quantity=name, runs=counts[name]) for name, row in rows.items()])


def _rate(runs: pd.DataFrame, happened: pd.Series, none: str) -> pd.DataFrame:
    """`rate`, or why nothing could happen."""
    return missing(np.array([]), none) if runs.empty else rate(runs, happened)


def _no_rates(reason: str) -> pd.DataFrame:
    return pd.concat(
        [missing(np.array([]), reason).assign(quantity=quantity, runs=0) for quantity in QUANTITIES]
    )


def _rule_facts(rates: pd.DataFrame) -> Mapping[str, Any]:
    rows: dict[str, dict[Any, Any]] = {str(row["quantity"]): row for row in rates.to_dict("records")}
    wrong = rows["false_stops"]
    return {
        "stops": int(rows["stopped"]["runs"]),
        "false_stops": int(wrong["runs"]),
        "success_stops": int(rows["success_stops"]["runs"]),
        **{name: _rounded(wrong[name]) for name in ("estimate", "ci_low", "ci_high")},
        "n_points": int(wrong["n_points"]),
        "compute_saved": _rounded(rows["compute_saved"]["estimate"]),
    }


def _rounded(value: float) -> float | None:
    """Four digits, as JSON can hold them."""
    return None if pd.isna(value) else round(float(value), 4)
