from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from stability import selftest
from stability.gan.losses import LOSSES
from stability.gan.training.penalties import PENALTIES
from stability.records import Outcome
from stability.selftest import QUESTIONS, Check, Finding, Question, as_text, outcomes, run_checks
from stability.selftest.bench import Bench
from stability.selftest.check import at_most, between, largest
from stability.selftest.dirac import agrees
from stability.selftest.losses import FORMULAS, LOSS_VALUES
from stability.selftest.penalties import BY_HAND
from stability.spec import config

CPU = torch.device("cpu")
Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]
BY_NAME = {question.name: question for question in QUESTIONS}


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_passes() -> None:
    assert [check for check in run_checks(torch.device("cuda")) if not check.passed] == []


def test_every_row_has_a_name_of_its_own() -> None:
    assert len(BY_NAME) == len(QUESTIONS)


def test_nothing_that_a_study_accepts_is_left_out() -> None:
    assert list(LOSS_VALUES) == list(FORMULAS) == list(LOSSES)
    assert list(BY_HAND) == list(PENALTIES) == list(config.PENALTY_NAMES)
    planted = {planted.outcome for planted in outcomes.COURSES.values()}
    assert planted == set(Outcome)


def _finds(passed: bool) -> Question:
    return Question("a row", lambda bench: Finding("1", "1" if passed else "2", passed))


def _passes(bench: Bench) -> Finding:
    return Finding("1", "1", True)


@pytest.mark.parametrize("error", [RuntimeError, TypeError, AssertionError, NotImplementedError])
def test_a_check_that_breaks_has_failed(monkeypatch: Patch, error: type[Exception]) -> None:
    def broken(bench: Bench) -> Finding:
        raise error("no such kernel\nin two lines")

    monkeypatch.setattr(selftest, "QUESTIONS", (Question("broken", broken), Question("a row", _passes)))
    first, second = run_checks(CPU)
    assert first == Check("broken", "an answer", f"{error.__name__}: no such kernel in two lines", False)
    assert second.passed
    assert as_text([first, second]).splitlines()[-1] == "2 checks, 1 failed"


def test_nan_is_never_right() -> None:
    nan = float("nan")
    assert not at_most(largest([0.0, nan, 1.0]), 2.0).passed
    assert not between(nan, 0, 1).passed
    assert not agrees(nan, "3.10")
    assert not agrees(nan, "0")


@pytest.mark.parametrize(
    ("found", "printed", "right"),
    [
        (3.096, "3.10", True),
        (3.094, "3.10", False),
        (0.0883, ".088", True),
        (0.0886, ".088", False),
        (2.64e-6, "2.6e-6", True),
        (2.66e-6, "2.6e-6", False),
        (1e-31, "0", True),
        (1e-29, "0", False),
    ],
)
def test_agreement_is_within_half_of_the_last_printed_digit(found, printed, right) -> None:
    assert agrees(found, printed) is right
