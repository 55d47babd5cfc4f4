"""How far a stored study is. Imports the store and spec; never torch, Optuna or the engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stability.errors import StabilityError
from stability.records import Machine, Outcome, RunResult
from stability.spec import StudySpec
from stability.spec.loader import parse_study
from stability.store import Store
from stability.store.claims import claims
from stability.store.observed import under_way
from stability.store.tables import read_machine

SPLIT = "split"
"""Of the environment: the cohorts that were split since they took too much memory, and why."""


def finished_cohorts(store: Store) -> list[str]:
    """The names of the finished cohorts, in the plan's order."""
    finished = store.finished()
    return [cohort.id for cohort in store.plan.cohorts if cohort.id in finished]


def stored_results(store: Store) -> list[RunResult]:
    """The results of the finished cohorts, in the plan's order."""
    return [result for cohort in finished_cohorts(store) for result in store.read_results(cohort)]


def is_complete(store: Store, spec: StudySpec) -> bool:
    """Whether every run that the study asks for is finished."""
    trained = len(store.finished()) == len(store.plan.cohorts)
    points = len({run.point for run in store.plan.runs})
    return trained and (spec.design.sampler != "tpe" or points >= spec.design.points)


def study_status(folder: Path) -> dict[str, Any]:
    """How far a study is, for people and for machines.

    Raises StabilityError where there is no study.
    """
    store = Store.open(folder)
    ended = _ended(store)
    counts = Counter(outcome for cohort in ended for outcome in cohort.outcomes.values())
    spec = parse_study(store.study_yaml, source=str(folder / "study.yaml"))
    return {
        "study": spec.name,
        "folder": str(folder),
        "observed": spec.observed,
        "complete": is_complete(store, spec) and not under_way(store),
        "runs": len(store.plan.runs),
        "runs_finished": counts.total(),
        "cohorts": len(store.plan.cohorts),
        "cohorts_finished": len(ended),
        "outcomes": {outcome.value: counts[outcome.value] for outcome in Outcome},
        "horizon": store.plan.horizon,
        "device": store.plan.device,
        "threads": store.plan.threads,
        "split": splits(store),
        "machines": _machines(ended),
        "processors": _processors(ended),
        "jobs": [claim.cohort for claim in claims(folder) if not store.is_finished(claim.cohort)],
        "under_way": list(under_way(store)),
        "older_labels": sum(store.has_older_labels(cohort.cohort) for cohort in ended),
    }


def run_states(folder: Path) -> dict[str, str]:
    """By planned run: its outcome, or `waiting`."""
    store = Store.open(folder)
    outcomes = {run: outcome for cohort in _ended(store) for run, outcome in cohort.outcomes.items()}
    return {run.run: outcomes.get(run.run, "waiting") for run in store.plan.runs}


def splits(store: Store) -> list[dict[str, Any]]:
    """The cohorts that were split; none where the environment is lost, which an examination tells."""
    try:
        splits: list[dict[str, Any]] = store.environment.get(SPLIT, [])
    except StabilityError:
        return []
    return splits


@dataclass(frozen=True, slots=True)
class _Ended:
    """A finished cohort, read once for all that is told of it: there may be thousands."""

    cohort: str
    machine: Machine | None
    """None where an older release trained it."""
    outcomes: dict[str, str]
    """By run."""


def _ended(store: Store) -> list[_Ended]:
    ended = []
    for cohort in finished_cohorts(store):
        table = store.table(cohort, "runs")
        names, outcomes = (table[column].to_pylist() for column in ("run", "outcome"))
        ended.append(_Ended(cohort, read_machine(table), dict(zip(names, outcomes, strict=True))))
    return ended


def _machines(ended: Sequence[_Ended]) -> list[dict[str, Any]]:
    """Where the cohorts were trained, and how many on each machine."""
    return [
        {"host": machine and machine.host, "processor": machine and machine.processor, "cohorts": count}
        for machine, count in Counter(one.machine for one in ended).items()
    ]


def _processors(ended: Sequence[_Ended]) -> dict[str, list[str]]:
    """By processor its cohorts, whose records may differ in their last digits; empty if all had the same."""
    cohorts: dict[str, list[str]] = {}
    for one in ended:
        if one.machine is not None:
            cohorts.setdefault(one.machine.processor, []).append(one.cohort)
    return cohorts if len(cohorts) > 1 else {}
