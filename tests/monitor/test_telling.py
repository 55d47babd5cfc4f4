from __future__ import annotations

import pytest

from stability.monitor.telling import MOST_FAILURES, Telling


def test_a_warning_is_said_once_and_an_alarm_as_often_as_it_happens(caplog: pytest.LogCaptureFixture) -> None:
    telling = Telling("run-1")
    for _ in range(3):
        telling.warn("no loss")
        telling.alarm("collapsed")
    said = [record.getMessage() for record in caplog.records]
    assert said == ["run-1: no loss", *["run-1: collapsed"] * 3]
    assert telling.warned == ["no loss"]


def test_what_fails_is_told_and_given_up_after_a_few_times() -> None:
    telling, calls = Telling("run-1"), []

    def part() -> None:
        calls.append(1)
        raise ValueError(f"number {len(calls)}")

    for _ in range(10):
        telling.attempt("visit", part)
    assert len(calls) == MOST_FAILURES
    assert telling.warned[0] == "could not visit, which is left out: ValueError: number 1"


def test_an_interrupt_is_no_failure() -> None:
    def part() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Telling("run-1").attempt("visit", part)
