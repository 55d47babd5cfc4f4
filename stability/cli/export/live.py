"""While a study trains: the runs of each cohort for TensorBoard, as the cohort is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stability.cli.export.runs import exported_runs
from stability.cli.export.targets import free_place, library, write_events
from stability.records import RunResult
from stability.runner.reporter import Reporter
from stability.store import Plan, PlannedCohort, Store
from stability.vocabulary.own_code import one_line


class LiveExport:
    """A reporter that exports what is finished, and passes on what it is told."""

    def __init__(self, folder: Path, reporter: Reporter) -> None:
        """Find out where; what was exported before is gone on with, if the study is.

        Raises `StabilityError`: TensorBoard's library is not installed, or another study's runs are there.
        """
        self._tensorboard = library("torch.utils.tensorboard", "tensorboard")
        self._folder, self._reporter = folder, reporter
        self._place = free_place("tensorboard", folder, may_exist=Store.holds_study(folder))
        self.note, self.trained, self.skipped = reporter.note, reporter.trained, reporter.skipped
        self.note(f"tensorboard --logdir {self._place}")

    def planned(self, plan: Plan, done: Sequence[RunResult]) -> None:
        """Export what was finished before."""
        self._reporter.planned(plan, done)
        self._export(done)

    def finished(self, cohort: PlannedCohort, results: Sequence[RunResult]) -> None:
        """Export the cohort's runs."""
        self._reporter.finished(cohort, results)
        self._export(results)

    def _export(self, results: Sequence[RunResult]) -> None:
        """Write all that is not there yet; what this fails at ends no training."""
        try:
            there = {path.name for path in self._place.glob("*")}
            if not {result.run for result in results} <= there:
                for run in exported_runs(self._folder, left_out=there):
                    write_events(self._tensorboard, run, self._place)
        except Exception as error:
            self.note(f"not exported: {one_line(error)}")
