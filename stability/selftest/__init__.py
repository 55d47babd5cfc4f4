"""Known answers checked on a device: what a user with other hardware, or other versions, runs first.

Every question has one row in the table. Expected values come from formulas written out here by hand, from
published closed forms, or from what was planted; never from the code that is being checked.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from stability.selftest import dirac, engine, losses, metrics, optimizers, outcomes, penalties
from stability.selftest.bench import Bench
from stability.selftest.check import Check, Finding, Question, as_text, ask

__all__ = ["QUESTIONS", "Check", "Finding", "Question", "as_text", "run_checks"]

QUESTIONS: tuple[Question, ...] = (
    *losses.QUESTIONS,
    *penalties.QUESTIONS,
    *optimizers.QUESTIONS,
    *dirac.QUESTIONS,
    *engine.QUESTIONS,
    *metrics.QUESTIONS,
    *outcomes.QUESTIONS,
)


def run_checks(device: torch.device) -> list[Check]:
    """Ask every question on the device; about a minute on two CPU cores."""
    with TemporaryDirectory(prefix="stability-selftest-") as folder:
        bench = Bench(device, Path(folder))
        return [ask(question, bench) for question in QUESTIONS]
