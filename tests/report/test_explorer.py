from __future__ import annotations

import json
from collections.abc import Callable

import pandas as pd
import pytest

from stability.page_kit.palette import LOOKS
from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.report import explorer as module
from stability.report.explorer import Explorer, explorer
from stability.spec import Choice, Design, Range, Thresholds

MakeStudy = Callable[..., StudyFrames]
REPLAY = "stability replay {folder} {run}"


@pytest.fixture
def made(make_study: MakeStudy) -> Explorer:
    return explorer(Study(make_study()), REPLAY)


def test_all_runs_and_their_colours_are_in_the_data(made: Explorer) -> None:
    data = json.loads(made.data)
    assert data["n"] == made.n_runs == 36
    assert all(len(column["values"]) == 36 for column in data["columns"])
    assert set(data["colours"]) == set(LOOKS)
    assert len(data["details"]) == made.n_details == 36
    assert data["bars"]["fid_excess"] == Thresholds().stable_excess


def test_the_replay_command_has_a_place_for_the_run_and_a_quoted_folder(make_study: MakeStudy) -> None:
    frames = make_study()
    moved = StudyFrames(**{**vars(frames), "folder": frames.folder.with_name("my results {run}")})
    parts = json.loads(explorer(Study(moved), REPLAY).data)["replay"]
    assert len(parts) == 2
    assert parts[0].startswith("stability replay '/")
    assert parts[0].endswith("my results {run}' ")
    assert parts[1] == ""


def test_the_same_study_gives_the_same_data(make_study: MakeStudy) -> None:
    study = Study(make_study())
    assert explorer(study, REPLAY).data == explorer(study, REPLAY).data


def test_text_from_a_study_cannot_end_the_data(make_study: MakeStudy) -> None:
    evil = "</script><script>alert(1)</script>"
    space: dict[str, Range | Choice] = {"loss": Choice(values=("hinge", "<b>")), "lr": Range(low=0.1, high=1)}
    frames = make_study(space=space, design=Design(points=3, seeds=1, cross=()), reason=evil)
    made = explorer(Study(frames), REPLAY)
    assert "<" not in made.data
    reasons = next(column for column in json.loads(made.data)["columns"] if column["name"] == "reason")
    assert evil in (reasons["levels"] or reasons["values"])


def test_the_file_has_every_run(made: Explorer, make_study: MakeStudy) -> None:
    assert len(made.csv) == 36
    frames = make_study()
    pd.testing.assert_series_equal(made.csv["lr"], frames.runs["lr"])


def test_few_details_are_told_of(make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    original = module.run_details
    monkeypatch.setattr(module, "run_details", lambda study, rng: original(study, rng=rng, most_runs=4))
    made = explorer(Study(make_study()), REPLAY)
    assert (made.n_details, made.n_runs) == (4, 36)
    assert len(json.loads(made.data)["details"]) == 4
