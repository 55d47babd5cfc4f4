"""Trains one stored run again, alone, and compares what it does with what was kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stability.errors import StabilityError
from stability.gan.training.placement import Placement
from stability.records import Evaluation, History, Record, RunResult
from stability.runner.devices import choose_device, environment_changes, prepare
from stability.runner.materials import Materials, Resources
from stability.runner.reporter import Reporter
from stability.runner.trainer import CohortTrainer
from stability.spec.loader import parse_study
from stability.store import PlannedCohort, Store


@dataclass(frozen=True, slots=True)
class Replay:
    """A replayed run beside the stored one."""

    result: RunResult
    stored: RunResult | None
    """None where the run had not finished."""
    difference: str | None
    """The first number that differs, in words; None where all are equal bit for bit."""
    environment_changes: tuple[str, ...]
    """What differs from the environment the study was started in, and what had changed as it went on."""

    def summary(self) -> dict[str, Any]:
        """For machines."""
        return {
            "run": self.result.run,
            "outcome": self.result.outcome.value,
            "reason": self.result.reason,
            "stored_outcome": self.stored.outcome.value if self.stored else None,
            "equal": self.stored is not None and self.difference is None,
            "difference": self.difference,
            "environment_changes": list(self.environment_changes),
        }

    def in_words(self) -> str:
        """For people."""
        lines = [f"{self.result.run}: {self.result.outcome.value} ({self.result.reason})"]
        if self.stored is None:
            lines.append("nothing is stored of this run yet, so there is nothing to compare it with")
        elif self.difference is None:
            lines.append("every record and evaluation is equal to the stored ones, bit for bit")
        else:
            lines.append(f"stored as {self.stored.outcome.value}; first difference: {self.difference}")
        lines += [f"environment changed: {change}" for change in self.environment_changes]
        return "\n".join(lines)


def replay(folder: Path, run_name: str, resources: Resources, reporter: Reporter) -> Replay:
    """Train one run of a study again with the study's own device kind and threads.

    Raises StabilityError where the study or the run does not exist.
    """
    store = Store.open(folder)
    run = next((run for run in store.plan.runs if run.run == run_name), None)
    if run is None:
        raise StabilityError(f"{folder}: no run {run_name!r}; `stability status {folder} --runs` lists them")
    source = str(folder / "study.yaml")
    spec = parse_study(store.study_yaml, source=source)
    device = choose_device(store.plan.device if resources.device == "auto" else resources.device)
    prepare(resources.threads or store.plan.threads, tf32=spec.training.tf32)
    materials = Materials.load(spec, resources, device, where=f"{source}: dataset")
    trainer = CohortTrainer(
        [run],
        spec,
        materials.evaluator(spec, reporter.note),
        Placement.of(spec.training, device),
        stop_thresholds=store.plan.stop_thresholds,
    )
    alone = PlannedCohort("replay", (run.run,))
    reporter.planned(replace(store.plan, device=str(device), cohorts=(alone,), runs=(run,)), ())
    for member_steps in trainer.advance():
        reporter.trained(member_steps)
    data = trainer.data()
    stored_result, stored_history = _stored(store, run_name)
    return Replay(
        result=data.results[0],
        stored=stored_result,
        difference=first_difference(stored_history, data.histories[0]) if stored_history else None,
        environment_changes=_environment_changes(store.environment, materials.describe()),
    )


def _environment_changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """In words: a run's records may be of any environment that its study was resumed in."""
    here = [_in_words(name, change) for name, change in environment_changes(then, now).items()]
    resumed = [
        f"the study was resumed with {_in_words(name, change)}"
        for changes in then.get("resumed", ())
        for name, change in changes.items()
    ]
    migrated = [f"trained under format {then['migrated_from']}"] if "migrated_from" in then else []
    return (*here, *dict.fromkeys(resumed), *migrated)


def _in_words(name: str, change: Mapping[str, Any]) -> str:
    return f"{name}: {change['was']} -> {change['is']}"


def _stored(store: Store, run_name: str) -> tuple[RunResult | None, History | None]:
    for cohort in store.plan.cohorts:
        if run_name in cohort.runs and cohort.id in store.finished():
            data = store.read_cohort(cohort.id)
            k = [result.run for result in data.results].index(run_name)
            return data.results[k], data.histories[k]
    return None, None


def first_difference(stored: History, again: History) -> str | None:
    """The first record or evaluation field in which two histories differ; NaN equals NaN."""
    pairs: list[tuple[Record | Evaluation, Record | Evaluation]] = [
        *zip(stored.records, again.records, strict=False),
        *zip(stored.evaluations, again.evaluations, strict=False),
    ]
    for old, new in sorted(pairs, key=lambda pair: pair[0].step):
        before, after = asdict(old), asdict(new)
        for name in before:
            if repr(before[name]) != repr(after[name]):
                return f"{name} at step {old.step}: {before[name]} was stored, {after[name]} came again"
    for what in ("records", "evaluations"):
        counts = len(getattr(stored, what)), len(getattr(again, what))
        if counts[0] != counts[1]:
            return f"{counts[0]} {what} were stored, {counts[1]} came again"
    if (stored.divergence, stored.last_step) != (again.divergence, again.last_step):
        return f"the end: {_end(stored)} was stored, {_end(again)} came again"
    return None


def _end(history: History) -> str:
    bad = history.divergence
    return f"step {history.last_step}" + (f" after {bad.tensor} at step {bad.step}" if bad else "")
