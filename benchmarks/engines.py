"""What it costs to hand cohorts out: workers that sleep as long as they would train, and large plans."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.crews import peak_bytes
from benchmarks.settings import Settings
from benchmarks.table import Sample, Section, Target
from stability.design.plan import make_plan
from stability.records import RunResult
from stability.runner.crew import Crew, Said
from stability.runner.ends import End, Finished
from stability.runner.engines.processes import Processes
from stability.runner.job import Job, Setup
from stability.runner.materials import Resources
from stability.runner.reporter import Progress
from stability.runner.study import StudyRunner
from stability.runner.worker_layout import Layout
from stability.spec import StudySpec, parse_study
from stability.spec.loader import dump_study
from stability.store import CohortData, Plan, PlannedCohort, Store

STUDY = """\
name: planted
dataset: ring
space: {loss: [minimax, hinge], lr: {low: 1.0e-4, high: 1.0e-2, log: true}}
fixed: {width: 8, batch_size: 16, latent_dim: 8}
design: {points: 1, cross: [loss]}
training: {steps: 120}
recording: {every: 10, evaluate_every: 40, samples: 64, final_samples: 64}
"""
WORKERS = (1, 2, 4)
RECORDS = 12
"""Words of progress from each cohort."""
BUSY = "a cohort has to be written too, on a machine that may have other things to do"
LINEAR, OWN = Target(0.9), Target(50.0, "most")
SIZES, QUICK_SIZES = (1_000, 10_000, 100_000), (100,)
READ = 50
"""Cohorts whose results are read for an average."""


class Silent:
    """A reporter."""

    def planned(self, plan: Plan, done: Sequence[RunResult]) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def trained(self, member_steps: int) -> None:
        """Nothing."""

    def skipped(self, member_steps: int) -> None:
        """Nothing."""

    def finished(self, cohort: PlannedCohort, results: Sequence[RunResult]) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class SleepingSetup(Setup):
    """Workers that have nothing to do but to take the time."""

    seconds: float
    brought: CohortData

    def job(
        self, store: Store, device: torch.device, progress: Progress, should_stop: Callable[[], bool]
    ) -> Job:
        """One that sleeps."""
        return Sleeper(store, progress, self.seconds, self.brought)  # type: ignore[return-value]


@dataclass(slots=True)
class Sleeper:
    """Says how far it is, and keeps what another cohort brought."""

    store: Store
    progress: Progress
    seconds: float
    brought: CohortData

    def attempt(self, cohort: PlannedCohort) -> End:
        """Take the time, and keep the cohort."""
        for _ in range(RECORDS):
            time.sleep(self.seconds / RECORDS)
            self.progress.trained(10 * len(cohort.runs))
        data = renamed(self.brought, cohort.runs)
        self.store.write_cohort(cohort.id, data)
        return Finished(data.results)


@dataclass(slots=True)
class Planted:
    """An engine whose cohorts are finished at once."""

    brought: CohortData
    capacity: int = 64
    _taken: list[tuple[PlannedCohort, Future[End]]] = field(default_factory=list)

    def submit(self, cohort: PlannedCohort) -> Future[End]:
        """Take it."""
        self._taken.append((cohort, Future()))
        return self._taken[-1][1]

    def listen(self) -> Iterator[Said]:
        """Say as much of each as a worker would, and be done with it."""
        taken, self._taken = self._taken, []
        for cohort, future in taken:
            yield from [Said(cohort.id, "trained", 10)] * RECORDS
            future.set_result(Finished(renamed(self.brought, cohort.runs).results))

    def stop(self) -> None:
        """Nothing is under way."""


def engines_section(settings: Settings, scratch: Path) -> Section:
    """Workers that sleep, then what a driver needs by the number of runs."""
    section = Section("Engines")
    seconds, rounds = settings.sized(3.0, 0.05), settings.sized(6, 1)
    section.say(
        f"Cohorts that sleep {seconds:g} s, say {RECORDS} times how far they are and are kept, on processes "
        f"of this machine, {rounds} for each worker: the share of linear, and the starter's own time "
        "(of the processor) for each."
    )
    rows = []
    for workers in settings.sized(WORKERS, (2,)):
        share, own = _slept(scratch / f"sleep-{workers}", workers, rounds, seconds)
        shares = section.judged(Sample((share,)), LINEAR, f"{workers} sleeping workers", why=BUSY)
        owns = section.judged(Sample((own,)), OWN, "own ms for each cohort", why=BUSY)
        rows.append([str(workers), shares, owns])
    section.tabulate(["Workers", "Share of linear", "Own time for each cohort, ms"], rows)
    section.say(
        "So many runs in cohorts of eight, in a process of its own: seconds to make, write and read a plan, "
        "to find what is finished where all is, milliseconds to read the results of a finished cohort, "
        "milliseconds of its own for each cohort on an engine that takes no time, and peak memory (of which "
        "torch takes some 500 MB)."
    )
    sizes = [_measured(n_runs, scratch) for n_runs in settings.sized(SIZES, QUICK_SIZES)]
    section.tabulate(
        [
            "Runs",
            "plan.json, MB",
            "Make, s",
            "Write, s",
            "Read, s",
            "Finished, s",
            "Results, ms",
            "Own, ms",
            "MB",
        ],
        [[f"{one['runs']:,.0f}", *(f"{one[name]:,.1f}" for name in COLUMNS)] for one in sizes],
    )
    return section


COLUMNS = ("megabytes", "make", "write", "read", "finished", "results", "own", "peak")


def measure_plan(n_runs: int, scratch: Path) -> dict[str, float]:
    """What a study of so many runs takes of whoever drives it."""
    brought = _brought(scratch / "template")
    spec = _spec(f"design.points={n_runs // 2}", "training.cohort_size=8")
    folder = scratch / f"plan-{n_runs}"
    plan, make = _timed(lambda: make_plan(spec, device="cpu", threads=1))
    store, write = _timed(
        lambda: Store.create(folder, study_yaml=dump_study(spec), plan=plan, environment={})
    )
    store, read = _timed(lambda: Store.open(folder))
    began = time.process_time()
    assert Crew(Planted(brought), store, Silent(), lambda: False).train(plan.cohorts)
    own = (time.process_time() - began) / len(plan.cohorts)
    some = plan.cohorts[:READ]
    for cohort in some:
        store.write_cohort(cohort.id, renamed(brought, cohort.runs))
    _, results = _timed(lambda: [store.read_results(cohort.id) for cohort in some])
    for cohort in plan.cohorts[READ:]:
        (folder / "cohorts" / cohort.id).mkdir()
    _, finished = _timed(store.finished)
    return {
        "runs": len(plan.runs),
        "megabytes": (folder / "plan.json").stat().st_size / 1e6,
        "make": make,
        "write": write,
        "read": read,
        "finished": finished,
        "results": 1e3 * results / len(some),
        "own": 1e3 * own,
        "peak": peak_bytes() / 1e6,
    }


def renamed(brought: CohortData, names: Sequence[str]) -> CohortData:
    """The same data under the names of other runs, as many as there are."""
    olds = [result.run for result in brought.results]
    pairs = [(name, number % len(olds)) for number, name in enumerate(names)]
    return replace(
        brought,
        results=tuple(replace(brought.results[old], run=name) for name, old in pairs),
        histories=tuple(
            replace(
                brought.histories[old],
                run=name,
                records=tuple(replace(one, run=name) for one in brought.histories[old].records),
                evaluations=tuple(replace(one, run=name) for one in brought.histories[old].evaluations),
            )
            for name, old in pairs
        ),
        seconds={name: brought.seconds[olds[old]] for name, old in pairs},
        filmstrips={name: brought.filmstrips[olds[old]] for name, old in pairs},
    )


def _slept(folder: Path, workers: int, rounds: int, seconds: float) -> tuple[float, float]:
    """The share of linear, and milliseconds of our own for each cohort; a first one warms every worker up."""
    spec = _spec(f"design.points={workers * (rounds + 1)}", "training.cohort_size=2")
    plan = make_plan(spec, device="cpu", threads=1)
    layout = Layout((torch.device("cpu"),), workers, 1)
    brought = _brought(folder.with_name("template"))
    store = Store.create(folder, study_yaml=dump_study(spec), plan=plan, environment={})
    setup = SleepingSetup(folder, None, spec, Resources("cpu"), "study", layout, seconds, brought)
    with store.lock(), Processes(setup, store) as engine:
        crew = Crew(engine, store, Silent(), lambda: False)
        crew.train(plan.cohorts[:workers])
        began, own = time.perf_counter(), time.process_time()
        crew.train(plan.cohorts[workers:])
        took, own = time.perf_counter() - began, time.process_time() - own
    return rounds * seconds / took, 1e3 * own / (workers * rounds)


def _brought(folder: Path) -> CohortData:
    """What a cohort of two runs brings."""
    if not Store.holds_study(folder):
        StudyRunner(_spec(), folder, Resources("cpu", threads=1), Silent()).run()
    return Store.open(folder).read_cohort("c0000")


def _spec(*overrides: str) -> StudySpec:
    return parse_study(STUDY, overrides=overrides)


def _timed(action: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    return action(), time.perf_counter() - began


def _measured(n_runs: int, scratch: Path) -> dict[str, float]:
    """In a process of its own, for its memory."""
    code = "import json, sys; from pathlib import Path; from benchmarks.engines import measure_plan; "
    code += "print(json.dumps(measure_plan(int(sys.argv[1]), Path(sys.argv[2]))))"
    command = [sys.executable, "-c", code, str(n_runs), str(scratch)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured
