"""Runs a study: plans it, trains what is not finished, keeps everything, and goes on where it stopped."""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from stability.design import FinishedPoint
from stability.design.extend import (
    Change,
    as_begun,
    as_fields,
    changed_fields,
    check_extension,
    extended_plan,
)
from stability.design.plan import make_plan, with_next_round
from stability.design.study_db import STUDY_DB, is_current, rebuild_study_db
from stability.errors import StabilityError
from stability.gan.metrics.evaluation import Evaluator
from stability.gan.training.placement import Placement
from stability.outcomes import label
from stability.outcomes.stop_rule import stop_rule_note
from stability.records import SUCCESSES, Outcome, RunResult
from stability.runner.crew import Alone, Crew, Engine
from stability.runner.devices import environment_changes, prepare
from stability.runner.engines.choice import engine_of
from stability.runner.engines.options import Cluster
from stability.runner.job import Job, Setup
from stability.runner.lengthen import check_states, take_up_shorter
from stability.runner.materials import DATASET, Materials, Resources
from stability.runner.memory import keep_freed_memory
from stability.runner.reporter import Reporter
from stability.runner.run_log import RunLog
from stability.runner.splitting import share_checkpoints
from stability.runner.worker_layout import Layout, cluster_layout, new_layout, old_layout, on_cluster
from stability.spec import Run, StudySpec
from stability.spec.loader import dump_study, parse_study
from stability.spec.relations import check_trained_here
from stability.store import Plan, PlannedCohort, Store
from stability.store.claims import claims
from stability.store.lock import locks_hold
from stability.store.progress import finished_cohorts, is_complete, stored_results

FOLDER = "folder:"
NO_LOCKS = (
    "this disk keeps no locks (flock does nothing): a second process that trains this study would be noticed "
    "only when both write; see that there is none"
)


@dataclass(slots=True)
class StudyRunner:
    """One study in one results folder."""

    spec: StudySpec
    folder: Path
    resources: Resources
    reporter: Reporter
    should_stop: Callable[[], bool] = field(default=lambda: False)
    where: str = DATASET
    """Where the data set is named, for errors."""
    forked_from: Path | None = None
    """The results folder whose edited study this one begins anew; nothing of it is used."""
    cluster: Cluster | None = None
    """Where cohorts are trained, if not by this machine."""

    def __post_init__(self) -> None:
        self.spec = with_absolute_folder(self.spec)
        if self.cluster is not None:
            self.resources = on_cluster(self.resources, self.cluster.options)

    def is_finished(self) -> bool:
        """Whether the folder holds this very study, and all of it is trained.

        Raises StabilityError for a folder that is damaged or of another version.
        """
        if not Store.holds_study(self.folder):
            return False
        store = Store.open(self.folder)
        kept = self._kept(store)
        return not changed_fields(kept, as_begun(self.spec, kept)) and is_complete(store, self.spec)

    def run(self) -> bool:
        """Train everything that is not finished; return whether the study is complete.

        False means that `should_stop` said so; a checkpoint has been written, and the same call goes on.
        Raises StabilityError for bad input, missing data, or a folder that another study or writer holds.
        """
        said = self.reporter
        try:
            with RunLog(said) as log:
                self.reporter = log
                return self._run(log)
        finally:
            self.reporter = said

    def _run(self, log: RunLog) -> bool:
        check_trained_here(self.spec)
        if Store.holds_study(self.folder):
            return self._begun(log)
        Store.check_creatable(self.folder, dump_study(self.spec))
        forked, options = self._forked(), None if self.cluster is None else self.cluster.options
        layout = new_layout(self.spec, self.resources, options)
        materials = self._materials(layout)
        evaluator = materials.evaluator(self.spec, self.reporter.note)
        if Store.holds_study(self.folder):  # by another process that began at the same time
            return self._begun(log)
        with self._created(materials, layout, forked) as store:
            return self._train_all(store, evaluator, layout, log)

    def _begun(self, log: RunLog) -> bool:
        store = Store.open(self.folder)
        self._take_thresholds(self._kept(store))
        changes = check_extension(self._kept(store), self.spec, self.folder)
        if not changes and is_complete(store, self.spec):
            self.reporter.planned(store.plan, stored_results(store))
            self._complete_study_db(store)
            return True
        return self._go_on(store, log)

    def _go_on(self, store: Store, log: RunLog) -> bool:
        """The lock comes first, so that a folder in use is told before anything is loaded."""
        self._check_same_machinery(store.plan)
        with store.lock(beside_jobs=self._has_jobs):
            layout = self._old_layout(store)
            materials = self._materials(layout)
            self._check_same_materials(store, materials)
            evaluator = materials.evaluator(self.spec, self.reporter.note)
            self._record_changes(store, materials)
            self._extend(store)
            take_up_shorter(store)
            share_checkpoints(store)
            return self._train_all(store, evaluator, layout, log)

    @property
    def _has_jobs(self) -> bool:
        """Whether cohorts are trained by jobs that may outlive whoever sent them."""
        return self.cluster is not None and self.cluster.options.name == "slurm"

    def _old_layout(self, store: Store) -> Layout:
        """By all that is to come, also of what the study file adds."""
        if self.cluster is not None:
            return cluster_layout(self.resources, store.plan.threads)
        changes = check_extension(self._kept(store), self.spec, self.folder)
        plan = extended_plan(store.plan, self.spec) if changes else store.plan
        finished = store.finished() if plan.horizon == store.plan.horizon else set()
        waiting = sum(len(cohort.runs) for cohort in plan.cohorts if cohort.id not in finished)
        return old_layout(plan, self.resources, member_steps=waiting * plan.horizon)

    def _materials(self, layout: Layout) -> Materials:
        prepare(layout.threads, tf32=self.spec.training.tf32)
        keep_freed_memory()
        return Materials.load(self.spec, self.resources, layout.here, where=self.where)

    def _created(
        self, materials: Materials, layout: Layout, forked: Mapping[str, Any]
    ) -> AbstractContextManager[Store]:
        plan = make_plan(self.spec, device=str(layout.device(0)), threads=layout.threads)
        planned = {
            "device": plan.device,
            "threads": plan.threads,
            "stop_thresholds": plan.stop_thresholds.model_dump(),
        }
        return Store.created(
            self.folder,
            study_yaml=dump_study(self.spec),
            plan=plan,
            environment={**materials.describe(), **forked, "planned": planned},
        )

    def _forked(self) -> dict[str, Any]:
        """What the environment keeps of the study that this one was made from."""
        if self.forked_from is None:
            return {}
        changes = changed_fields(self._kept(Store.open(self.forked_from)), self.spec)
        return {"forked": {"from": str(self.forked_from.resolve()), "changes": as_fields(changes)}}

    def _kept(self, store: Store) -> StudySpec:
        return parse_study(store.study_yaml, source=str(store.folder / "study.yaml"))

    def _take_thresholds(self, kept: StudySpec) -> None:
        """Judge as before by what the study file leaves open, and tell which of today's defaults differ."""
        begun = as_begun(self.spec, kept)
        if others := changed_fields(begun, self.spec):
            self.reporter.note(
                f"labelled as the study was begun, not by today's defaults ({_in_words(others)}); "
                "apply others with `stability relabel`"
            )
        self.spec = begun

    def _extend(self, store: Store) -> None:
        """Plan what the study file asks for besides, now that nobody else writes."""
        changes = check_extension(self._kept(store), self.spec, self.folder)
        if not changes:
            return
        if claims(store.folder):
            raise StabilityError(f"{self.folder}: jobs of a cluster are at work; stop them, then extend it")
        plan = extended_plan(store.plan, self.spec)
        if plan.horizon != store.plan.horizon:
            check_states(store)
        environment = store.environment
        kept = [*environment.get("extended", ()), as_fields(changes)]
        store.extend(plan, study_yaml=dump_study(self.spec), environment=environment | {"extended": kept})
        self.reporter.note(f"extended: {_in_words(changes)}")

    def _check_same_machinery(self, plan: Plan) -> None:
        """What is asked for must be what the study was planned with: its records depend on it."""
        asked = self.resources
        if asked.device != "auto" and asked.device.partition(":")[0] != plan.device.partition(":")[0]:
            raise StabilityError(
                f"--device {asked.device}: {self.folder} was planned for {plan.device}, and goes on there; "
                "leave it out, or give another folder with --out"
            )
        if asked.threads not in (None, plan.threads):
            raise StabilityError(
                f"--threads {asked.threads}: {self.folder} was planned with {plan.threads}, and goes on so; "
                "leave it out, or give another folder with --out"
            )

    def _check_same_materials(self, store: Store, materials: Materials) -> None:
        then, now = store.environment, materials.describe()
        for name in ("dataset", "classifier"):
            if name in then and then[name] != now[name]:
                raise StabilityError(
                    f"{self.folder}: was started with another {name}, {now[name]['name']} has changed since; "
                    "give another folder with --out"
                )

    def _record_changes(self, store: Store, materials: Materials) -> None:
        """Keep and tell what has changed since the study was started; the old values stay beside it."""
        if "dataset" not in store.environment:  # its file was lost
            store.replace_environment(store.environment | materials.describe())
        changes = environment_changes(store.environment, materials.describe())
        if changes:
            resumed = [*store.environment.get("resumed", ()), changes]
            store.replace_environment(store.environment | {"resumed": resumed})
            self.reporter.note(f"changed since the study was started: {', '.join(changes)}")

    def _complete_study_db(self, store: Store) -> None:
        """Whoever finished or extended the study may have been killed before it was written."""
        if is_current(self.folder):
            return
        try:
            with store.lock():
                rebuild_study_db(self.folder)
        except StabilityError as error:
            if not (self.folder / STUDY_DB).is_file():
                raise
            self.reporter.note(f"{STUDY_DB} stays as it is: {error}")

    def _train_all(self, store: Store, evaluator: Evaluator, layout: Layout, log: RunLog) -> bool:
        log.open(store.folder)
        complete = self._trained(store, evaluator, layout)
        log.ended(complete=complete)
        return complete

    def _trained(self, store: Store, evaluator: Evaluator, layout: Layout) -> bool:
        self.reporter.planned(store.plan, stored_results(store))
        if not locks_hold(store.folder):
            self.reporter.note(NO_LOCKS)
        if note := stop_rule_note(self.spec):
            self.reporter.note(note)
        if "fid_floors" not in store.environment:
            store.replace_environment(store.environment | {"fid_floors": evaluator.floors()})
        rounds = self._rounds(store)
        first = next(rounds, [])
        with self._crew(store, evaluator, layout.bounded(len(first))) as crew:
            if not all(crew.train(cohorts) for cohorts in chain([first], rounds)):
                return False
        store.check_stayed()
        rebuild_study_db(self.folder)
        return True

    @contextmanager
    def _crew(self, store: Store, evaluator: Evaluator, layout: Layout) -> Iterator[Alone | Crew]:
        """Whoever trains: this process, or workers."""
        if layout.workers == 1 and self.cluster is None:
            placement = Placement.of(self.spec.training, layout.device(0))
            job = Job(store, self.spec, evaluator, placement, self.reporter, self.should_stop)
            yield Alone(job, self.reporter)
            return
        setup = Setup(self.folder, store.signed, self.spec, self.resources, self.where, layout)
        with engine_of(setup, store, self.cluster) as engine:
            self.reporter.note(self._at_work(engine))
            yield Crew(engine, store, self.reporter, self.should_stop)

    def _at_work(self, engine: Engine) -> str:
        if self.cluster is None:
            return f"{engine.capacity} processes at work"
        return f"{engine.capacity} cohorts at a time, on {self.cluster.options.name}"

    def _rounds(self, store: Store) -> Iterator[list[PlannedCohort]]:
        """Unfinished cohorts in order; a search plans its next round when the last one is finished."""
        while True:
            finished = store.finished()
            yield [cohort for cohort in store.plan.cohorts if cohort.id not in finished]
            if is_complete(store, self.spec):
                return
            store.replace_plan(with_next_round(store.plan, self.spec, finished_points(store)))
            self.reporter.planned(store.plan, stored_results(store))


def _in_words(changes: Sequence[Change]) -> str:
    return ", ".join(change.in_words() for change in changes)


def with_absolute_folder(spec: StudySpec) -> StudySpec:
    """The study with its own images' folder as an absolute path, so that it can go on from anywhere."""
    if not spec.dataset.startswith(FOLDER):
        return spec
    folder = os.path.expanduser(spec.dataset.removeprefix(FOLDER))
    folder = os.path.realpath(folder)  # which, unlike Path.resolve, reads a loop of links as well
    return spec.model_copy(update={"dataset": f"{FOLDER}{folder}"})


def finished_points(store: Store) -> list[FinishedPoint]:
    """Per finished point, what a search learns from: its share of successes and median FID ratio."""
    planned = {run.run: run for run in store.plan.runs}
    ends: dict[int, list[tuple[Run, bool, float]]] = {}
    for cohort in finished_cohorts(store):
        visits = store.table(cohort, "evaluations").select(["run", "fid_ratio"]).to_pylist()
        last = {row["run"]: row["fid_ratio"] for row in visits}
        for row in store.table(cohort, "runs").select(["run", "outcome"]).to_pylist():
            run, success = planned[row["run"]], row["outcome"] in SUCCESSES
            ends.setdefault(run.point, []).append((run, success, last.get(run.run, math.nan)))
    return [
        FinishedPoint(
            params=own[0][0].levels,
            share_success=statistics.fmean(success for _, success, _ in own),
            median_fid_ratio=statistics.median(
                float("inf") if math.isnan(ratio) else ratio for _, _, ratio in own
            ),
        )
        for _, own in sorted(ends.items())
    ]


def relabel_study(folder: Path, overrides: Sequence[str]) -> dict[str, tuple[Outcome, Outcome]]:
    """Label every finished run of a study anew, without training.

    `overrides` are thresholds as `outcomes.name=value`; those not named stay as they are. Returns old and
    new outcome of each run whose label changed. Records and evaluations are not touched. Raises
    StabilityError for an unknown threshold, or anything else than a threshold.
    """
    for text in overrides:
        if not text.startswith("outcomes."):
            raise StabilityError(
                f"--set {text}: a stored study's thresholds are all that can be set: outcomes.*"
            )
    source = str(folder / "study.yaml")
    spec = parse_study(Store.open(folder).study_yaml, source=source, overrides=overrides)
    store = Store.open(folder)
    with store.lock():
        results: dict[str, RunResult] = {}
        changed: dict[str, tuple[Outcome, Outcome]] = {}
        for cohort_id in sorted(store.finished()):
            data = store.read_cohort(cohort_id)
            for old, history in zip(data.results, data.histories, strict=True):
                new = label(history, spec.outcomes, horizon=store.plan.horizon, stopped=old.stopped)
                results[new.run] = new
                if new.outcome is not old.outcome:
                    changed[new.run] = (old.outcome, new.outcome)
        store.relabel(results, study_yaml=dump_study(spec))
        if not spec.observed:
            rebuild_study_db(folder)
    return changed
