"""How far a stored study is. Imports the store and spec; never torch, Optuna or the engine."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from stability.errors import StabilityError
from stability.records import Outcome, RunResult
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
    ended = _outcomes(store)
    counts = Counter(ended.values())
    spec = parse_study(store.study_yaml, source=str(folder / "study.yaml"))
    return {
        "study": spec.name,
        "folder": str(folder),
        "observed": spec.observed,
        "complete": is_complete(store, spec) and not under_way(store),
        "runs": len(store.plan.runs),
        "runs_finished": len(ended),
        "cohorts": len(store.plan.cohorts),
        "cohorts_finished": len(store.finished()),
        "outcomes": {outcome.value: counts[outcome.value] for outcome in Outcome},
        "horizon": store.plan.horizon,
        "device": store.plan.device,
        "threads": store.plan.threads,
        "split": splits(store),
        "machines": _machines(store),
        "processors": _processors(store),
        "jobs": [claim.cohort for claim in claims(folder) if not store.is_finished(claim.cohort)],
        "under_way": list(under_way(store)),
    }


def run_states(folder: Path) -> dict[str, str]:
    """By planned run: its outcome, or `waiting`."""
    store = Store.open(folder)
    ended = _outcomes(store)
    return {run.run: ended.get(run.run, "waiting") for run in store.plan.runs}


def splits(store: Store) -> list[dict[str, Any]]:
    """The cohorts that were split; none where the environment is lost, which an examination tells."""
    try:
        splits: list[dict[str, Any]] = store.environment.get(SPLIT, [])
    except StabilityError:
        return []
    return splits


def _machines(store: Store) -> list[dict[str, Any]]:
    """Where the finished cohorts were trained, and how many on each; null where an older release did it."""
    counts = Counter(read_machine(store.table(cohort, "runs")) for cohort in finished_cohorts(store))
    return [
        {"host": machine and machine.host, "processor": machine and machine.processor, "cohorts": count}
        for machine, count in counts.items()
    ]


def _processors(store: Store) -> dict[str, list[str]]:
    """By processor its cohorts, whose records may differ in their last digits; empty if all had the same."""
    cohorts: dict[str, list[str]] = {}
    for cohort in finished_cohorts(store):
        machine = read_machine(store.table(cohort, "runs"))
        if machine is not None:
            cohorts.setdefault(machine.processor, []).append(cohort)
    return cohorts if len(cohorts) > 1 else {}


def _outcomes(store: Store) -> dict[str, str]:
    """By finished run."""
    tables = (store.table(cohort, "runs") for cohort in finished_cohorts(store))
    return {
        run: outcome
        for table in tables
        for run, outcome in zip(table["run"].to_pylist(), table["outcome"].to_pylist(), strict=True)
    }
