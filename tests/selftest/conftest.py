"""Plants an error and looks which rows notice; the bench that was set up while nothing was wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from stability.selftest import QUESTIONS, Check
from stability.selftest.bench import Bench
from stability.selftest.check import ask

CPU = torch.device("cpu")
Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]
BY_NAME = {question.name: question for question in QUESTIONS}
FailsWhen = Callable[[Plant, tuple[str, ...], Callable[[], Bench]], None]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Evaluators made while nothing was wrong."""
    return Bench(CPU, tmp_path_factory.mktemp("shared"))


RIGHT: dict[str, Check] = {}
"""The rows while nothing is wrong."""


def _fails_when(plant: Plant, names: tuple[str, ...], make: Callable[[], Bench]) -> None:
    """Each row passes, and does not once the error is planted."""
    right = make()
    for name in names:
        if name not in RIGHT:
            RIGHT[name] = ask(BY_NAME[name], right)
        assert RIGHT[name].passed
    with pytest.MonkeyPatch.context() as patch:
        wrong = make()
        plant(patch)
        checks = [ask(BY_NAME[name], wrong) for name in names]
    assert [check.name for check in checks if check.passed] == []
    assert [check for check in checks if check.expected == "an answer"] == []  # none of them broke down


@pytest.fixture
def fails_when() -> FailsWhen:
    """Plant an error, ask some rows before and after: each passes, and does not once the error is there."""
    return _fails_when
