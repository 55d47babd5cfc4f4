"""run.log: what was said while a study ran, in its results folder. Imports records and the store.

For people; nothing reads it. Every line is appended at once, over all calls that went on with the study, and
what cannot be written ends nothing.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from stability.records import RunResult
from stability.runner.reporter import Reporter
from stability.spec.problems import one_line
from stability.store import Plan, PlannedCohort

RUN_LOG = "run.log"


class RunLog:
    """A reporter that also writes down what another is told. Use as a context manager.

    Until it is opened it keeps its lines. Then it keeps the file, so that nothing ever gets into a folder
    that was put in the place of its own.
    """

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter
        self._descriptor: int | None = None
        self._waiting: list[str] = []
        self._write(f"$ {shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])}")

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._write(f"ended by {one_line(f'{kind.__name__}: {error}', 1000)}")
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None

    def open(self, folder: Path) -> None:
        """Append to the log of a results folder from here on; only who holds its lock may."""
        with suppress(OSError):
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(folder / RUN_LOG, flags, 0o644)
        for line in self._waiting:
            self._append(line)
        self._waiting = []

    def planned(self, plan: Plan, done: Sequence[RunResult]) -> None:
        """Write down how much there is to do."""
        size = f"{len(plan.runs)} runs in {len(plan.cohorts)} cohorts, {plan.horizon} steps each"
        self._write(f"{size}, on {plan.device} with {plan.threads} threads; {len(done)} are finished")
        self.reporter.planned(plan, done)

    def note(self, text: str) -> None:
        """Write down a note."""
        self._write(text)
        self.reporter.note(text)

    def trained(self, member_steps: int) -> None:
        """Nothing is written down of a step."""
        self.reporter.trained(member_steps)

    def skipped(self, member_steps: int) -> None:
        """Nor of one that is not needed."""
        self.reporter.skipped(member_steps)

    def finished(self, cohort: PlannedCohort, results: Sequence[RunResult]) -> None:
        """Write down how the runs of a cohort ended."""
        counts = Counter(result.outcome.value for result in results)
        self._write(f"{cohort.id}: {', '.join(f'{count} {outcome}' for outcome, count in counts.items())}")
        self.reporter.finished(cohort, results)

    def ended(self, *, complete: bool) -> None:
        """Write down that a call is over."""
        self._write("the study is complete" if complete else "stopped")

    def _write(self, text: str) -> None:
        line = f"{datetime.now(UTC).isoformat(timespec='seconds')}  {one_line(text, 10_000)}\n"
        if self._descriptor is None:
            self._waiting.append(line)
        else:
            self._append(line)

    def _append(self, line: str) -> None:
        if self._descriptor is not None:
            with suppress(OSError):
                os.write(self._descriptor, line.encode("utf-8", "backslashreplace"))
