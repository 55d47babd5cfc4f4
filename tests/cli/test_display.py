from __future__ import annotations

from collections import Counter
from io import StringIO

import pytest
from made_study import made_plan, make_cohort
from rich.console import Console

from stability.cli import display
from stability.cli.display import Display, duration, outcome_counts
from stability.records import Outcome
from stability.store import Plan

PLAN: Plan = made_plan()
FIRST = make_cohort(PLAN.cohorts[0].runs).results
SECOND = make_cohort(PLAN.cohorts[1].runs, Outcome.NOISE).results


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(display.time, "monotonic", clock)
    return clock


def plain() -> tuple[Display, StringIO]:
    file = StringIO()
    return Display(Console(file=file, width=120)), file


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.7, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (360_000, "100 h 00 min"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_outcomes_are_counted_most_common_first() -> None:
    assert outcome_counts(Counter({"stable": 2, "collapsed": 12})) == "12 collapsed, 2 stable"
    assert outcome_counts(Counter()) == "none yet"


def test_without_a_terminal_there_are_plain_lines(clock: Clock) -> None:
    shown, file = plain()
    with shown:
        shown.planned(PLAN, ())
        clock.now += 10
        shown.trained(5 * 30)
        shown.finished(PLAN.cohorts[0], FIRST)
        clock.now += 20
        shown.trained(7 * 30)
        shown.finished(PLAN.cohorts[1], SECOND)
    assert file.getvalue().splitlines() == [
        "12 runs in 2 cohorts, 30 steps each, on cpu",
        "5/12 runs, 15 member-steps/s, 14 s left: 4 stable, 1 diverged",
        "12/12 runs, 12 member-steps/s, 0 s left: 6 noise, 1 diverged",
    ]


def test_without_a_terminal_a_long_cohort_gives_a_sign_every_minute(clock: Clock) -> None:
    shown, file = plain()
    with shown:
        shown.planned(PLAN, ())
        for _ in range(13):
            clock.now += 10
            shown.trained(5)
    assert file.getvalue().splitlines()[1:] == [
        "0/12 runs, 0 member-steps/s, 11 min 00 s left",
        "0/12 runs, 0 member-steps/s, 10 min 00 s left",
    ]


def test_names_in_notes_are_no_markup() -> None:
    shown, file = plain()
    shown.note("[bold]results[/]: 12 runs")
    assert file.getvalue() == "[bold]results[/]: 12 runs\n"


def test_what_was_done_before_counts_neither_for_speed_nor_for_time_left(clock: Clock) -> None:
    """The first cohort of five goes on at step 20 of 30, and trains two steps in a second."""
    shown, file = plain()
    with shown:
        shown.planned(PLAN, ())
        shown.skipped(5 * 20)
        clock.now += 5
        shown.trained(5 * 10)
        shown.finished(PLAN.cohorts[0], FIRST)
    assert file.getvalue().splitlines()[-1].startswith("5/12 runs, 10 member-steps/s, 21 s left: ")


def test_runs_that_were_finished_before_do_not_count_for_the_speed(clock: Clock) -> None:
    shown, file = plain()
    with shown:
        shown.planned(PLAN, FIRST)
        clock.now += 10
        shown.trained(7 * 10)
        shown.skipped(7 * 20)
        shown.finished(PLAN.cohorts[1], SECOND)
    assert file.getvalue().splitlines() == [
        "12 runs in 2 cohorts, 30 steps each, on cpu; 5 are finished",
        "12/12 runs, 7 member-steps/s, 0 s left: 6 noise, 1 diverged",
    ]


def test_before_the_first_step_no_time_is_promised(clock: Clock) -> None:
    shown, file = plain()
    with shown:
        shown.planned(PLAN, ())
        shown.skipped(5 * 30)
        shown.finished(PLAN.cohorts[0], FIRST)
    assert file.getvalue().splitlines()[-1] == "5/12 runs, 0 member-steps/s: 4 stable, 1 diverged"


def test_on_a_terminal_there_is_one_live_line(clock: Clock) -> None:
    file = StringIO()
    shown = Display(Console(file=file, force_terminal=True, width=120))
    with shown:
        shown.planned(PLAN, ())
        clock.now += 10
        shown.trained(5 * 30)
        shown.finished(PLAN.cohorts[0], FIRST)
        shown._live.refresh()
    text = file.getvalue()
    assert "\x1b[" in text
    assert "12 runs in 2 cohorts" in text
    assert "5/12" in text
    assert "15 member-steps/s" in text
    assert "14 s left" in text
    assert "4 stable, 1 diverged" in text
    assert "5/12 runs, 15" not in text


def test_a_terminal_is_left_as_it_was_when_something_breaks() -> None:
    file = StringIO()
    with pytest.raises(ZeroDivisionError), Display(Console(file=file, force_terminal=True)) as shown:
        shown.trained(1 // 0)
    assert file.getvalue().count("\x1b[?25l") == file.getvalue().count("\x1b[?25h") == 1
