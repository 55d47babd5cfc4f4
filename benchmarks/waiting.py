"""How long OpenMP's threads should spin while they wait: alone on the machine, and beside a busy process."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.cases import CohortTask
from benchmarks.crews import Job, crew, in_turn, long_enough, variables_set
from benchmarks.settings import Settings
from benchmarks.table import Sample, Section, Target
from stability import SPIN_COUNT
from stability.spec.config import Config

CONFIG, QUICK_CONFIG = Config(width=16), Config(width=8, batch_size=8)
MEMBERS = 8
GNU_OWN = "300000"
"""What GNU's library does of itself."""
COUNTS = {"one thread": "0", "GNU's own": GNU_OWN, "ours": SPIN_COUNT, "none": "0"}
"""Turns of a waiting thread, by side."""
QUIET, BUSY = Target(1.05, "most"), Target(1.2, "most")
"""Ours over GNU's own on a quiet machine, and over one thread beside a busy process."""


def waiting_section(settings: Settings) -> Section:
    """Seconds of a small study's steps by one thread, and by one a core under each count."""
    section = Section("Waiting threads")
    if not settings.is_cpu:
        section.say("Not measured: only on a processor do threads wait for one another.")
        return section
    section.say(
        f"A cohort of {MEMBERS} MLPs of width {settings.sized(CONFIG, QUICK_CONFIG).width} in one process "
        f"with {settings.all_threads} threads, by the turns that a thread spins before it sleeps "
        "(`GOMP_SPINCOUNT`); milliseconds a step. Beside it another process that never rests."
    )
    quiet = _measured(settings)
    with _busy_process():
        busy = _measured(settings)
    rows = [
        [
            side,
            "" if side == "one thread" else COUNTS[side],
            quiet[side].milliseconds(),
            busy[side].milliseconds(),
        ]
        for side in COUNTS
    ]
    section.tabulate(["Side", "Turns", "Quiet", "Beside a busy process"], rows)
    why = "the count is in stability/__init__.py"
    alone = section.judged(quiet["ours"].over(quiet["GNU's own"]), QUIET, "waiting, quiet", why=why)
    beside = section.judged(busy["ours"].over(busy["one thread"]), BUSY, "waiting, busy", why=why)
    section.say(f"Ours over GNU's own, quiet: {alone}. Ours over one thread, busy: {beside}.")
    return section


def _measured(settings: Settings) -> dict[str, Sample]:
    """Seconds of a step, by side, in turn."""
    config = settings.sized(CONFIG, QUICK_CONFIG)
    with ExitStack() as stack:
        jobs = []
        for side, count in COUNTS.items():
            threads = 1 if side == "one thread" else settings.all_threads
            with variables_set({"GOMP_SPINCOUNT": count}):
                workers = stack.enter_context(crew(1, threads))
            workers.take(CohortTask((config,) * MEMBERS, settings.device))
            jobs.append(Job(workers, "plain", long_enough(workers, "plain", settings.round_seconds)))
        return dict(zip(COUNTS, in_turn(jobs, settings.rounds), strict=True))


@contextmanager
def _busy_process() -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(target=_never_rest, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _never_rest() -> None:
    while True:
        pass
