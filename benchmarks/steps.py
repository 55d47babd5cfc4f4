"""Step time: cohorts, with and without diagnostics, against the naive loop and the machine's limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import CASES, QUICK_CASES, RECORD_EVERY, Case, CohortTask, NaiveTask, table_size
from benchmarks.crews import Crew, Job, crew, in_turn, long_enough
from benchmarks.limits import Limits
from benchmarks.operations import Operations, operations
from benchmarks.settings import Settings
from benchmarks.table import Sample, Section, Target
from stability.spec.config import Config

DIAGNOSTICS = Target(10, "most")
"""Per cent of a step."""


@dataclass(frozen=True, slots=True)
class Ours:
    """Seconds per step of one model, as the whole machine trains them."""

    how: str
    plain: Sample
    recorded: Sample

    @property
    def diagnostics_percent(self) -> Sample:
        """What recording adds."""
        return self.recorded.over(self.plain).each(lambda ratio: 100 * (ratio - 1))


@dataclass(frozen=True, slots=True)
class StepTimes:
    """One case: seconds per step of one model."""

    naive: Sample
    ours: tuple[Ours, ...]
    """As `stability run` trains first, then by one process with all threads."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The crews that are compared."""

    naive: Crew
    ours: Crew
    solo: Crew | None
    """One process with all threads, where `ours` is another."""


@contextmanager
def both_sides(settings: Settings, *, solo: bool = True) -> Iterator[Sides]:
    """The naive loop's process; ours, one a core with one thread each; and one of ours with all threads."""
    with ExitStack() as stack:
        naive = stack.enter_context(crew(1, settings.all_threads))
        ours = stack.enter_context(crew(settings.workers, settings.worker_threads))
        wanted = solo and settings.workers > 1
        alone = stack.enter_context(crew(1, settings.all_threads)) if wanted else None
        yield Sides(naive, ours, alone)


def step_cases(settings: Settings) -> tuple[Case, ...]:
    """What is measured."""
    return settings.sized(CASES, QUICK_CASES)


def measure_steps(config: Config, sides: Sides, settings: Settings, root: Path) -> StepTimes:
    """Let every side train the same configuration in turn."""
    members = table_size(config, settings.device)
    sides.naive.take(NaiveTask(config, root, settings.device))
    jobs = [Job(sides.naive, "train", long_enough(sides.naive, "train", settings.round_seconds))]
    for workers in filter(None, (sides.ours, sides.solo)):
        workers.take(CohortTask((config,) * members, settings.device))
        jobs += _pair(workers, settings, members * workers.size)
    naive, *measured = in_turn(jobs, settings.rounds)
    pairs = zip(measured[::2], measured[1::2], filter(None, (sides.ours, sides.solo)), strict=True)
    return StepTimes(naive, tuple(Ours(_how(workers, members), *pair) for *pair, workers in pairs))


def steps_section(settings: Settings, limits: Limits, root: Path) -> Section:
    """A table of all cases."""
    section = Section("Step time")
    section.say(
        "A step is `n_dis` discriminator updates and a generator update at batch 64. Naive trains one "
        "model with torch's default threads. Ours trains cohorts of the size in the table of "
        "`stability/design/plan.py`, in one process a core with one thread each, all at once; what "
        "counts is how many steps of models the whole machine does in a second. The second row of a case "
        f"is one process with all threads. Diagnostics are all of them, recorded every {RECORD_EVERY} "
        "steps, which is a study's default. Ratios are taken round by round: naive's time over ours."
    )
    rows = []
    for case in step_cases(settings):
        with both_sides(settings) as sides:  # anew: how memory was used before makes a difference
            times = measure_steps(case.config, sides, settings, root)
        rows += _rows(section, case, times, operations(case.config), limits)
    header = ["Case", "Naive, ms", "Ours", "Plain, ms", "With diagnostics, ms", "Ratio, plain"]
    header += ["Ratio, with diagnostics", "Diagnostics, %", "Floor, ms", "Share of the limit"]
    section.tabulate(header, rows)
    section.say(
        "The floor of a step is the arithmetic of its products and convolutions at the best rate of "
        "products, and Adam's memory traffic (28 bytes a weight) at the best rate of traffic, both "
        "measured above. What is elementwise, drawn, copied or dispatched is not in it."
    )
    return section


def _rows(
    section: Section, case: Case, times: StepTimes, needed: Operations, limits: Limits
) -> list[list[str]]:
    floor = needed.floor_seconds(limits.flops_per_second, limits.bytes_per_second)
    rows = []
    for place, own in enumerate(times.ours):
        ratio, with_diagnostics = times.naive.over(own.plain), times.naive.over(own.recorded)
        share, cost = own.plain.each(lambda seconds: floor / seconds), own.diagnostics_percent
        cells = [ratio.text(), with_diagnostics.text(), cost.text(1), f"{1000 * floor:.3f}", share.text()]
        if place == 0:
            cells[1] = section.judged(
                with_diagnostics, case.ratio, f"{case.name}: ratio to naive", case=case.name
            )
            cells[2] = section.judged(cost, DIAGNOSTICS, f"{case.name}: diagnostics, %", case=case.name)
            if case.share is not None:
                cells[4] = section.judged(
                    share, case.share, f"{case.name}: share of the limit", case=case.name
                )
        measured = [own.plain.milliseconds(), own.recorded.milliseconds()]
        rows.append([case.name, times.naive.milliseconds(), own.how, *measured, *cells])
    return rows


def _how(workers: Crew, members: int) -> str:
    processes = "1 process" if workers.size == 1 else f"{workers.size} processes"
    return f"{processes} x {members} members"


def _pair(workers: Crew, settings: Settings, units: int) -> list[Job]:
    """Equally many steps without and with diagnostics, in whole spans between records."""
    count = long_enough(workers, "plain", settings.round_seconds, RECORD_EVERY)
    workers.do("recorded", RECORD_EVERY)
    return [Job(workers, action, count, units) for action in ("plain", "recorded")]
