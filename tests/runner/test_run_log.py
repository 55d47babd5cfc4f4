from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

import pytest
from made_study import made_plan, make_cohort
from small_studies import Listener, StopAfter, run_small, small_spec

from stability.errors import StabilityError
from stability.runner import run_log
from stability.runner.repair import check_study
from stability.runner.run_log import RUN_LOG, RunLog

LINE = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00  (.+)")


def said(folder: Path) -> list[str]:
    """The lines of a log without their times."""
    found = [LINE.fullmatch(line) for line in (folder / RUN_LOG).read_text(encoding="utf-8").splitlines()]
    return [match[1] for match in found if match]


def test_everything_said_is_written_down_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/stability", "run", "my study.yaml"])
    plan, listener = made_plan(), Listener()
    cohort = plan.cohorts[0]
    with RunLog(listener) as log:
        log.note("before there is a folder")
        log.open(tmp_path)
        log.planned(plan, ())
        log.note("one\ntwo \udcff")
        log.trained(5)
        log.skipped(2)
        log.finished(cohort, make_cohort(cohort.runs).results)
        log.ended(complete=True)
    lines = said(tmp_path)
    assert lines[:3] == [
        "$ stability run 'my study.yaml'",
        "before there is a folder",
        "12 runs in 2 cohorts, 30 steps each, on cpu with 2 threads; 0 are finished",
    ]
    assert lines[3].startswith("one")
    assert lines[4:] == ["c000-mlp: 1 diverged, 4 stable", "the study is complete"]
    assert listener.notes == ["before there is a folder", "one\ntwo \udcff"]


def test_calls_follow_each_other_and_an_error_is_the_last_line(tmp_path: Path) -> None:
    def fail(error: BaseException) -> None:
        with RunLog(Listener()) as log:
            log.open(tmp_path)
            raise error

    for error in (StabilityError("no\nroom"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            fail(error)
    starts = [line for line in said(tmp_path) if line.startswith("$ ")]
    assert len(starts) == 2
    assert said(tmp_path)[1].startswith("ended by StabilityError: no")
    assert said(tmp_path)[3].startswith("ended by KeyboardInterrupt")


def test_a_log_that_cannot_be_written_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with RunLog(Listener()) as log:
        log.open(tmp_path / "removed")
        log.note("nowhere")
    (tmp_path / RUN_LOG).mkdir()
    with RunLog(Listener()) as log:
        log.open(tmp_path)
        log.note("it is a folder")
    (tmp_path / RUN_LOG).rmdir()
    with RunLog(Listener()) as log:
        log.open(tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr(run_log.os, "write", full)
            log.note("lost")
        log.note("kept")
    assert said(tmp_path)[-1] == "kept"
    assert "lost" not in (tmp_path / RUN_LOG).read_text()


def test_a_folder_in_the_place_of_another_gets_no_line(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    folder.mkdir()
    with RunLog(Listener()) as log:
        log.open(folder)
        folder.rename(tmp_path / "old")
        folder.mkdir()
        log.note("to the old one")
    assert not list(folder.iterdir())
    assert said(tmp_path / "old")[-1] == "to the old one"


def test_a_study_has_one_over_all_its_calls(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    assert not run_small(small_spec(), folder, stop=StopAfter(5))
    assert said(folder)[-1] == "stopped"
    assert run_small(small_spec(), folder)
    lines = said(folder)
    assert sum(line.startswith("$ ") for line in lines) == 2
    assert any(line.startswith("going on with c0001 at step") for line in lines)
    assert sum(line.startswith("c0000: ") for line in lines) == 1
    assert lines[-1] == "the study is complete"
    before = os.stat(folder / RUN_LOG)
    assert run_small(small_spec(), folder)
    assert os.stat(folder / RUN_LOG) == before
    assert check_study(folder).faults == ()
