from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from stability.questions.outcomes.on_the_way import on_the_way
from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.spec import Design, Range

MakeStudy = Callable[..., StudyFrames]
RUNS = ("a", "b", "c", "d")


def study_of(
    make_study: MakeStudy, outcomes: str, collapses: list[tuple[str, int, int | None]], never_good: str = ""
) -> Study:
    """Four runs, visited at steps 100 to 500, whose pictures are worst at their last collapse, d's most."""
    space = {"lr": Range(low=1e-4, high=1e-2, log=True)}
    frames = make_study(space=space, design=Design(points=4, seeds=1), events=False)
    events = pd.DataFrame(
        [
            ("collapse", run, onset, recovery, "", False, run in never_good.split())
            for run, onset, recovery in collapses
        ],
        columns=["kind", "run", "onset", "recovery", "evidence", "provisional", "never_good"],
    ).astype({"recovery": "Int64", "never_good": bool})
    last = {run: onset for run, onset, _ in collapses}
    visits = pd.DataFrame(
        [
            {"run": run, "step": step, "fid_excess": 9.0 + place if step == last.get(run) else 0.5}
            for place, run in enumerate(RUNS)
            for step in range(100, 600, 100)
        ]
    )
    runs = frames.runs.assign(run=list(RUNS), outcome=outcomes.split())
    return Study(replace(frames, runs=runs, events=events, evaluations=visits))


@pytest.mark.parametrize(
    ("collapses", "sentence", "run", "onset"),
    [
        ([("a", 200, 300), ("a", 400, 500)], "1 of 4 runs * it came back.", "a", 400),
        ([("a", 200, 300), ("b", 300, 400), ("c", 400, 500)], "3 of 4 runs * all came back.", "c", 400),
        ([("a", 200, 300), ("b", 200, 300), ("c", 300, None)], "3 of 4 runs * 2 came back.", "b", 200),
        ([("a", 200, None), ("b", 300, 400), ("b", 500, None)], "2 of 4 runs * none came back.", "b", 300),
        ([("a", 200, None), ("c", 300, None)], "2 of 4 runs * none came back.", "c", 300),
        ([("a", 200, 300), ("d", 300, None)], "2 of 4 runs * 1 came back.", "a", 200),
    ],
)
def test_collapses_that_no_outcome_tells_are_counted(
    make_study: MakeStudy,
    collapses: list[tuple[str, int, int | None]],
    sentence: str,
    run: str,
    onset: int,
) -> None:
    found = on_the_way(study_of(make_study, "stable noise nearly-stable collapsed", collapses))
    assert found is not None
    assert found.sentence == sentence.replace("*", "collapsed on the way, after having been good;")
    assert (found.run, found.onset) == (run, onset)


def test_nothing_is_said_where_outcomes_say_it_or_nothing_was_lost(make_study: MakeStudy) -> None:
    ended = "collapsed partial-collapse noise stable"
    assert on_the_way(study_of(make_study, ended, [("a", 200, None), ("b", 200, 400)])) is None
    assert on_the_way(study_of(make_study, ended, [("c", 200, None)], never_good="c")) is None
    assert on_the_way(study_of(make_study, ended, [])) is None


def test_a_run_without_the_visits_is_shown_all_the_same(make_study: MakeStudy) -> None:
    study = study_of(make_study, "noise noise noise noise", [("b", 100, None)])
    found = on_the_way(replace(study, frames=replace(study.frames, evaluations=study.frames.evaluations[:0])))
    assert found is not None
    assert found.run == "b"
