"""A wall clock that is set back by hours and by a year changes nothing but the dates that are kept."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import torch
from small_studies import make_small, result_bytes, run_small, small_spec

from stability.runner.materials import Resources
from stability.store import Store

SCRIPT = Path(__file__).with_name("odd_clock.py")


def test_a_study_under_a_clock_that_is_set_back_is_the_same_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "odd"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT), str(folder)],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout.splitlines()[-1])
    assert said.pop("setbacks") > 3
    assert said.pop("finished_at_once") is False
    assert said == dict.fromkeys(("run", "finished", "check", "report", "relabel", "checked"), 0)

    make_small(monkeypatch, tmp_path)
    threads = torch.get_num_threads()
    try:
        assert run_small(small_spec(), tmp_path / "even", resources=Resources("cpu", threads=1))
    finally:
        torch.set_num_threads(threads)
    assert result_bytes(folder) == result_bytes(tmp_path / "even")
    no_time_runs_backwards(folder)


def no_time_runs_backwards(folder: Path) -> None:
    store = Store.open(folder)
    assert "resumed" not in store.environment
    seconds = [
        s for cohort in store.plan.cohorts for s in store.table(cohort.id, "runs")["seconds"].to_pylist()
    ]
    assert len(seconds) == 12
    assert 0 < min(seconds) <= max(seconds) < 3600
    with closing(sqlite3.connect(folder / "study.db")) as database:
        times = database.execute("SELECT datetime_start, datetime_complete FROM trials").fetchall()
    assert len(times) == 6
    for start, complete in times:
        assert start <= complete
    a_year_ago = datetime.now(UTC) - timedelta(days=364)  # so the odd clock was the one that was looked at
    assert datetime.fromisoformat(times[0][0]).replace(tzinfo=UTC) < a_year_ago
    assert datetime.fromisoformat(json.loads((folder / ".lock").read_text())["start"]) < a_year_ago
