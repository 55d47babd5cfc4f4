from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from small_studies import StopAfter, run_small, small_spec

from stability.cli.status_view import as_text, check_as_text, check_summary
from stability.store.repair.examine import Examination, Fault, Remedy

Command = Any
BY_HAND = Fault("study.yaml", "is missing", "how it samples", "none; put it back", Remedy.NONE)
MOVED = Fault("cohorts/c0", "is not planned", "nothing", "moves it aside", Remedy.ASIDE)


@pytest.fixture
def folder(finished: Path, workplace: Path) -> Path:
    shutil.copytree(finished, workplace / "copy")
    return Path("copy")


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_state_in_words() -> None:
    state = {
        "study": "a", "folder": "r", "complete": False, "runs": 4, "runs_finished": 1, "horizon": 9,
        "cohorts": 2, "cohorts_finished": 0, "outcomes": {"stable": 1, "collapsed": 0}, "device": "cpu",
        "observed": False, "under_way": [], "older_labels": 2, "threads": 2, "run_states": {"p0": "stable"},
        "machines": [
            {"host": None, "processor": None, "cohorts": 3},
            {"host": "a", "processor": "Some CPU", "cohorts": 1},
            {"host": "b", "processor": "", "cohorts": 2},
        ],
        "processors": {"Some CPU": ["c7"], "": [f"c{number}" for number in range(22)]},
        "jobs": ["c8", "c9"],
        "split": [{"cohort": "c0", "runs": ["p0", "p1"], "into": ["c1", "c2"], "reason": "no memory"}],
    }  # fmt: skip
    lines = as_text(state).splitlines()
    assert lines[0] == "a (r): not finished"
    assert lines[3] == "outcomes  1 stable"
    assert lines[5:7] == [
        "trained   1 cohort on a, Some CPU",
        "trained   2 cohorts on b, unknown processor",
    ]
    assert lines[7] == "processor Some CPU: c7"
    assert lines[8].startswith("processor unknown: c0, c1, ")
    assert lines[8].endswith(", c19 and 2 more")
    assert lines[9] == "jobs      have c8, c9"
    assert lines[-3:] == [
        "split     c0, 2 runs, into c1 and c2: no memory",
        "labels    2 of the cohorts have an older release's, read anew by today's rules; "
        "`stability relabel r` stores these",
        "  p0  stable",
    ]
    assert not any(line.startswith("labels") for line in as_text(state | {"older_labels": 0}).splitlines())
    assert as_text(state | {"complete": True}).splitlines()[-1] == "next      stability report r"


def test_what_was_found_in_words() -> None:
    found = Examination((BY_HAND, MOVED), ("older",), files=7)
    assert check_as_text(Path("my results"), found, ["did this"]).splitlines() == [
        "repaired  did this",
        "study.yaml: is missing",
        "  lost    how it samples",
        "  repair  none; put it back",
        "cohorts/c0: is not planned",
        "  lost    nothing",
        "  repair  moves it aside",
        "note      older",
        "my results: 7 files examined, 2 things are wrong",
        "next      stability status 'my results' --repair",
    ]
    assert (
        check_as_text(Path("r"), Examination((BY_HAND,), (), 7), ())
        .splitlines()[-1]
        .endswith("1 thing is wrong")
    )
    assert check_as_text(Path("r"), Examination((), (), 7), ()) == "r: 7 files examined, all is well"


def test_the_same_for_machines() -> None:
    found = Examination((MOVED,), ("older",), files=7)
    summary = json.loads(json.dumps(check_summary(Path("r"), found, ("did this",))))
    assert (summary["whole"], summary["files"], summary["notes"]) == (False, 7, ["older"])
    assert summary["faults"][0]["file"] == "cohorts/c0"
    assert summary["faults"][0]["remedy"] == "move aside"
    assert summary["repaired"] == ["did this"]


# --- the command ------------------------------------------------------------------------------------------


def test_a_whole_folder_is_exit_0(stability: Command, folder: Path) -> None:
    answer = stability("status", folder, "--check")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.endswith("files examined, all is well\n")
    assert json.loads(stability("status", folder, "--check", "--json").out)["whole"] is True


def test_a_damaged_folder_is_exit_1_until_it_is_repaired_and_run(stability: Command, folder: Path) -> None:
    damage(folder / "cohorts" / "c0000" / "records.parquet")
    answer = stability("status", folder, "--check")
    assert (answer.code, answer.err) == (1, "")
    assert "cohorts/c0000/records.parquet: its digest is not the one it was written with" in answer.out
    assert "  lost    what is told of its 8 runs" in answer.out
    assert answer.out.endswith("next      stability status copy --repair\n")
    summary = json.loads(stability("status", folder, "--check", "--json").out)
    assert [fault["part"] for fault in summary["faults"]] == ["cohorts/c0000"]
    repaired = stability("status", folder, "--repair")
    assert (repaired.code, repaired.err) == (0, "")
    assert repaired.out.splitlines()[0] == "repaired  moved cohorts/c0000 to damaged/c0000-1"
    assert stability("run", "study.yaml", "--out", folder).code == 0
    assert stability("status", folder, "--check").code == 0


def test_what_no_repair_brings_back_stays_exit_1(stability: Command, folder: Path) -> None:
    (folder / "study.yaml").unlink()
    for option in ("--check", "--repair"):
        answer = stability("status", folder, option)
        assert (answer.code, answer.err) == (1, "")
        assert "study.yaml: No such file or directory" in answer.out


def test_bad_input_is_exit_2(stability: Command, workplace: Path) -> None:
    for option in ("--check", "--repair"):
        answer = stability("status", "nowhere", option)
        assert (answer.code, answer.out) == (2, "")
        assert answer.err == "error: nowhere: no such results folder\n"


def test_an_older_folder_is_refused_and_brought_up(stability: Command, workplace: Path) -> None:
    shutil.copytree(Path(__file__).parents[1] / "store" / "format1", workplace / "old")
    for command in (["status", "old"], ["run", "study.yaml", "--out", "old"]):
        answer = stability(*command)
        assert (answer.code, answer.err.count("\n")) == (2, 1)
        assert "`stability status old --repair` brings it up to that" in answer.err
    assert "repaired  migrated from format 1 to 2" in stability("status", "old", "--repair").out
    assert stability("status", "old").code == 0


# --- an edited study --------------------------------------------------------------------------------------


def test_an_edited_study_is_extended_by_the_same_command(stability: Command, folder: Path) -> None:
    answer = stability("run", "study.yaml", "--out", folder, "--set", "design.seeds=3")
    assert (answer.code, answer.err) == (0, "")
    assert "extended: design.seeds: 2 -> 3" in answer.out
    assert "18 runs in 3 cohorts, 40 steps each, on cpu; 12 are finished" in answer.out
    assert stability("status", folder, "--check").code == 0
    again = stability("run", "study.yaml", "--out", folder)
    assert (again.code, again.err.count("\n")) == (2, 1)
    assert "design.seeds: 3 -> 2" in again.err


def test_a_fork_begins_anew(stability: Command, folder: Path, workplace: Path) -> None:
    edited = ["run", "study.yaml", "--out", folder, "--set", "training.steps=20", "--set", "design.points=1"]
    refused = stability(*edited)
    assert (refused.code, refused.out) == (2, "")
    assert "training.steps: 40 -> 20, design.points: 2 -> 1" not in refused.err
    assert "design.points: 2 -> 1, training.steps: 40 -> 20" in refused.err
    answer = stability(*edited, "--fork", "new")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines()[-1] == "finished new; next: stability report new"
    kept = json.loads((workplace / "new" / "environment.json").read_text())["forked"]
    assert kept["from"] == str((workplace / "copy").resolve())
    assert set(kept["changes"]) == {"design.points", "training.steps"}
    assert stability(*edited, "--fork", "new").out == "new is finished; next: stability report new\n"


def test_a_fork_of_nothing_is_refused(stability: Command, workplace: Path) -> None:
    answer = stability("run", "study.yaml", "--fork", "new")
    assert (answer.code, answer.err) == (2, "error: results/small: no such results folder\n")
    assert not (workplace / "new").exists()


def test_an_unfinished_study_is_checked_too(stability: Command, workplace: Path) -> None:
    assert not run_small(small_spec(), workplace / "half", stop=StopAfter(3))
    assert stability("status", "half", "--check").code == 0
    damage(workplace / "half" / "checkpoints" / "c0000.safetensors")
    assert "lost    how far 8 runs were" in stability("status", "half", "--check").out
