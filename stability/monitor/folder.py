"""An observed study's results folder: every run of it is a cohort of its own, written anew as it trains.

The folder's lock is held only while something is written, so that several processes fill one folder.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from stability.errors import StabilityError
from stability.monitor.settings import config_of, space_of
from stability.spec import Design, Recording, Run, StudySpec, Thresholds, Training, dump_study, parse_study
from stability.spec.study import UNDECLARED, Sampler
from stability.store import FORMAT_VERSION, CohortData, Plan, PlannedCohort, Store
from stability.store.observed import with_run
from stability.store.plan import FILE_NAME

ADAPTIVE: tuple[Sampler, ...] = ("tpe", UNDECLARED)
"""Settings that may have been chosen in the light of earlier results, so that no rate can be told of them."""
PATIENCE = 30.0
"""Seconds to wait for another process that writes to the folder."""
UNSAFE = re.compile(r"[^A-Za-z0-9._+=-]+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run as its owner asks for it."""

    name: str | None
    settings: Mapping[str, Any]
    seed: int | None
    drawn: Sampler
    """How its settings were drawn; `UNDECLARED` where nobody said."""


@dataclass(frozen=True, slots=True)
class Customs:
    """How a study that does not exist yet is to be begun."""

    dataset: str
    recording: Recording
    thresholds: Thresholds
    steps: int
    device: str


class ObservedFolder:
    """A results folder with one run of this process in it."""

    def __init__(self, folder: Path, store: Store, spec: StudySpec, run: Run) -> None:
        """Use `enter`."""
        self.folder, self.run = folder, run
        self._store, self._spec = store, spec

    @property
    def thresholds(self) -> Thresholds:
        """Those that the study's labels are made with."""
        return self._spec.outcomes

    @property
    def recording(self) -> Recording:
        """How the study says that its runs are measured."""
        return self._spec.recording

    @property
    def horizon(self) -> int:
        """Steps of the study's longest run so far, or what was announced."""
        return self._store.plan.horizon

    @classmethod
    def enter(
        cls, folder: Path, wanted: Wanted, customs: Customs, note: Callable[[str], None]
    ) -> ObservedFolder:
        """Add a run to the folder's study, which is begun if there is none.

        Raises `StabilityError`: the folder cannot be written, or holds something else than observed runs.
        """
        folder = Path(folder)
        deadline = time.monotonic() + PATIENCE
        while not Store.holds_study(folder):
            run = run_of(wanted, (), note)
            spec = _spec(_study_name(folder), run, customs, wanted.drawn)
            try:
                store = Store.create(
                    folder,
                    study_yaml=dump_study(spec),
                    plan=_plan(spec, (run,), customs.device, torch.get_num_threads()),
                    environment=with_run({}, run.run),
                )
                return cls(folder, store, spec, run)
            except StabilityError:  # another process may have begun at the same time
                if time.monotonic() > deadline or not (Store.holds_study(folder) or _in_use(folder)):
                    raise
                time.sleep(0.05)
        return cls._join(folder, wanted, note)

    @classmethod
    def _join(cls, folder: Path, wanted: Wanted, note: Callable[[str], None]) -> ObservedFolder:
        store = Store.open(folder)
        if not _read(store).observed:
            raise StabilityError(
                f"{folder}: holds a study of `stability run`; give runs of your own another folder"
            )
        with store.lock(patience=PATIENCE):
            run = run_of(wanted, store.plan.runs, note)
            spec = _with_runs(_read(store), (*store.plan.runs, run), store.plan.horizon, wanted.drawn)
            cohorts = (*store.plan.cohorts, PlannedCohort(run.run, (run.run,)))
            plan = replace(store.plan, runs=(*store.plan.runs, run), cohorts=cohorts)
            environment = with_run(store.environment, run.run)
            store.extend(plan, study_yaml=dump_study(spec), environment=environment)
        return cls(folder, store, spec, run)

    def keep(self, data: CohortData, about: Mapping[str, Any], *, last_step: int, patience: float) -> None:
        """Write all that is known of the run; `about` is said of it in the environment.

        Raises `StabilityError`: it cannot be written, or others wrote for longer than `patience` seconds.
        """
        store = self._store
        with store.lock(patience=patience):
            spec, plan = _read(store), store.plan
            if last_step > plan.horizon:
                spec = _with_runs(spec, plan.runs, last_step)
                plan = replace(plan, horizon=last_step)
            environment = with_run(store.environment, self.run.run, about)
            if (plan, environment) != (store.plan, store.environment):
                store.extend(plan, study_yaml=dump_study(spec), environment=environment)
            self._spec = spec
            store.keep_cohort(self.run.run, data)


def run_of(wanted: Wanted, known: tuple[Run, ...], note: Callable[[str], None]) -> Run:
    """The run under a name that is free; runs with the same settings are seeds of one point."""
    settings = dict(wanted.settings)
    new = 1 + max((run.point for run in known), default=-1)
    point = next((run.point for run in known if run.levels == settings), new)
    replicate = sum(run.point == point for run in known)
    taken = {run.run for run in known}
    asked = UNSAFE.sub("-", wanted.name or f"run-{len(known) + 1:03d}").lstrip("-._+=")[:180] or "run"
    name, number = asked, 2
    while name in taken:
        name, number = f"{asked}-{number}", number + 1
    if wanted.name not in (None, name):
        why = "taken" if asked == wanted.name else "no file name"
        note(f"the run is called {name}, since {wanted.name} is {why}")
    assert FILE_NAME.fullmatch(name)
    return Run(
        run=name,
        point=point,
        trial=f"p{point:03d}",
        replicate=replicate,
        seed=replicate if wanted.seed is None else wanted.seed,
        config=config_of(settings),
        levels=settings,
        adaptive=wanted.drawn in ADAPTIVE,
    )


def _spec(name: str, run: Run, customs: Customs, drawn: Sampler) -> StudySpec:
    blank = StudySpec(
        name=name,
        dataset=customs.dataset,
        observed=True,
        design=Design(sampler=UNDECLARED),
        training=Training(steps=customs.steps, stop_on=()),
        recording=customs.recording,
        outcomes=customs.thresholds,
    )
    return _with_runs(blank, (run,), customs.steps, drawn)


def _with_runs(spec: StudySpec, runs: tuple[Run, ...], steps: int, drawn: Sampler = UNDECLARED) -> StudySpec:
    """The study file of these runs; the first that says how its settings were drawn says it for the page."""
    space, fixed = space_of([run.levels for run in runs])
    n_points = len({run.point for run in runs})
    design = spec.design.model_copy(
        update={
            "sampler": drawn if spec.design.sampler == UNDECLARED else spec.design.sampler,
            "points": n_points,
            "seeds": max(run.replicate for run in runs) + 1,
            "cross": (),
        }
    )
    training = spec.training.model_copy(update={"steps": steps})
    return spec.model_copy(update={"space": space, "fixed": fixed, "design": design, "training": training})


def _plan(spec: StudySpec, runs: tuple[Run, ...], device: str, threads: int) -> Plan:
    cohorts = tuple(PlannedCohort(run.run, (run.run,)) for run in runs)
    return Plan(FORMAT_VERSION, threads, device, spec.training.steps, cohorts, runs, spec.outcomes)


def _read(store: Store) -> StudySpec:
    return parse_study(store.study_yaml, source=str(store.folder / "study.yaml"))


def _in_use(folder: Path) -> bool:
    return (folder / ".lock").exists()


def _study_name(folder: Path) -> str:
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", folder.resolve().name).strip("-_")[:64]
    return name or "observed"
