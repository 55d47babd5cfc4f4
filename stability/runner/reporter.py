"""Who is told while a study runs. Imports records and the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stability.records import RunResult
from stability.store import Plan, PlannedCohort


class Progress(Protocol):
    """What is told while a cohort is trained."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def trained(self, member_steps: int) -> None:
        """So many more steps, counted over the cohort's runs."""

    def skipped(self, member_steps: int) -> None:
        """So many planned updates need no training: done by an earlier call, or of runs that stopped.

        Below zero: so many that were counted have to be done again.
        """


class Reporter(Progress, Protocol):
    """What is told while a study runs; the command line shows it."""

    def planned(self, plan: Plan, done: Sequence[RunResult]) -> None:
        """The plan, and the results there are already; again whenever a search adds runs."""

    def finished(self, cohort: PlannedCohort, results: Sequence[RunResult]) -> None:
        """A cohort is kept."""
