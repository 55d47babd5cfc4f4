"""What a study's progress looks like: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from stability.records import RunResult
from stability.store import Plan, PlannedCohort


def duration(seconds: float) -> str:
    """Such as `2 h 05 min`, `3 min 20 s` or `12 s`."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def outcome_counts(outcomes: Counter[str]) -> str:
    """Such as `12 stable, 3 collapsed`."""
    return ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common()) or "none yet"


def _count(things: Sequence[object], word: str) -> str:
    return f"{len(things)} {word}" if len(things) == 1 else f"{len(things)} {word}s"


PLAIN_SECONDS = 60.0
"""Between two lines where there is no live one, at most, as long as training goes on."""


class Display:
    """Keeps count of a running study, and shows it. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("runs  {task.fields[speed]}  {task.fields[left]}  {task.fields[outcomes]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._live.add_task("", total=None, speed="", left="", outcomes="")
        self._outcomes: Counter[str] = Counter()
        self._runs = self._finished_runs = self._total_steps = self._steps = 0
        self._horizon = 0
        self._clock = self._noted = time.monotonic()

    def __enter__(self) -> Display:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def planned(self, plan: Plan, done: Sequence[RunResult]) -> None:
        """Take in the plan; runs that were finished before do not count for the speed."""
        self._outcomes = Counter(result.outcome.value for result in done)
        self._runs, self._horizon = len(plan.runs), plan.horizon
        self._finished_runs = len(done)
        self._total_steps = (len(plan.runs) - len(done)) * plan.horizon
        self._steps, self._clock = 0, time.monotonic()
        size = f"{_count(plan.runs, 'run')} in {_count(plan.cohorts, 'cohort')}, {plan.horizon} steps each"
        finished = f"; {len(done)} are finished" if done else ""
        self.note(f"{size}, on {plan.device}{finished}")
        self._show()

    def note(self, text: str) -> None:
        """Print a line above the live one."""
        self._noted = time.monotonic()
        self._live.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def trained(self, member_steps: int) -> None:
        """Count steps; where there is no live line, say how far they are once a minute."""
        self._steps += member_steps
        if self._live.disable and time.monotonic() - self._noted >= PLAIN_SECONDS:
            self.note(self._progress())
        self._show()

    def skipped(self, member_steps: int) -> None:
        """Count updates that need no training; they take no time, so the speed knows nothing of them."""
        self._total_steps -= member_steps
        self._show()

    def finished(self, cohort: PlannedCohort, results: Sequence[RunResult]) -> None:
        """Count a cohort's runs and, where there is no live line, say so."""
        self._outcomes.update(result.outcome.value for result in results)
        self._finished_runs += len(results)
        if self._live.disable:
            here = outcome_counts(Counter(result.outcome.value for result in results))
            self.note(f"{self._progress()}: {here}")
        self._show()

    def _progress(self) -> str:
        parts = (f"{self._finished_runs}/{self._runs} runs", self._speed(), self._left())
        return ", ".join(part for part in parts if part)

    def _speed(self) -> str:
        return f"{self._steps / max(time.monotonic() - self._clock, 1e-3):,.0f} member-steps/s"

    def _left(self) -> str:
        if not self._steps:
            return ""
        elapsed = time.monotonic() - self._clock
        return f"{duration(elapsed / self._steps * max(self._total_steps - self._steps, 0))} left"

    def _show(self) -> None:
        self._live.update(
            self._task,
            completed=self._finished_runs,
            total=self._runs,
            speed=self._speed(),
            left=self._left(),
            outcomes=outcome_counts(self._outcomes),
        )
