from __future__ import annotations

import json
from typing import Any

import pytest

from stability import selftest
from stability.selftest import Finding, Question

Command = Any


@pytest.mark.slow
def test_this_installation_passes(stability: Command) -> None:
    answer = stability("selftest", "--device", "cpu", "--json")
    rows = json.loads(answer.out)
    assert [row for row in rows if not row["passed"]] == []
    assert [row["name"] for row in rows] == [question.name for question in selftest.QUESTIONS]
    assert answer.code == 0


def _finds(passed: bool) -> Question:
    return Question("a row", lambda bench: Finding("1", "1" if passed else "2", passed))


@pytest.mark.parametrize("passed", [True, False])
def test_the_exit_code_tells(stability: Command, monkeypatch: pytest.MonkeyPatch, passed: bool) -> None:
    monkeypatch.setattr(selftest, "QUESTIONS", (_finds(True), _finds(passed)))
    answer = stability("selftest", "--device", "cpu")
    lines = answer.out.splitlines()
    assert answer.code == (0 if passed else 1)
    assert lines[1] == ("ok    a row  1 (expected 1)" if passed else "FAIL  a row  2 (expected 1)")
    assert lines[-1] == f"2 checks, {0 if passed else 1} failed"
