from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from small_studies import SMALL, make_small, result_bytes, run_small, small_spec

from stability.runner.materials import Resources
from stability.runner.repair import check_study
from stability.store import Store

COUNT = 5
STARTS = Path(__file__).with_name("starts.py")
LONG = SMALL.replace("steps: 40", "steps: 200000").replace("evaluate_every: 20", "evaluate_every: 100000")


@contextmanager
def many_starts(folder: Path, study: str) -> Iterator[subprocess.Popen[str]]:
    """All of them in a session of their own, none of which outlives the block."""
    (folder / "outputs").mkdir()
    (folder / "study.yaml").write_text(study)
    environment = {
        **os.environ,
        "XDG_CACHE_HOME": str(folder),
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, str(STARTS), str(COUNT), "outputs", "study.yaml"],
        cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def said(folder: Path, k: int) -> tuple[str, str]:
    return tuple((folder / "outputs" / f"{k}.{name}").read_text() for name in ("out", "err"))  # type: ignore[return-value]


def test_of_many_starts_at_once_on_a_new_folder_one_trains_and_the_others_are_refused(
    tmp_path: Path,
) -> None:
    with many_starts(tmp_path, LONG) as process:
        assert process.stdout is not None
        pids = process.stdout.readline().split()
        ended = [tuple(map(int, process.stdout.readline().split())) for _ in range(COUNT - 1)]
        assert [code for _, code in ended] == [2] * (COUNT - 1)
        (winner,) = set(range(COUNT)) - {k for k, _ in ended}
        owner = f"in use by process {pids[winner]} on {re.escape(socket.gethostname())}, started 20"
        for k, _ in ended:
            out, err = said(tmp_path, k)
            assert err.count("\n") == 1
            assert re.match(f"error: results: ({owner}|in use by another process that has just started)", err)
            assert "Traceback" not in out + err
        os.kill(int(pids[winner]), signal.SIGTERM)
        assert process.stdout.readline() == f"{winner} 143\n"
        assert process.wait() == 0
    assert "stopped; the same command goes on" in said(tmp_path, winner)[1]
    assert len(Store.open(tmp_path / "results").plan.runs) == 12
    assert check_study(tmp_path / "results").faults == ()
    assert len(list((tmp_path / "results" / "checkpoints").iterdir())) == 1


def test_of_many_starts_of_a_short_study_one_trains_it_and_the_late_find_it_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with many_starts(tmp_path, SMALL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        ended = [tuple(map(int, process.stdout.readline().split())) for _ in range(COUNT)]
        assert process.wait() == 0
    assert {code for _, code in ended} <= {0, 2}
    trained = [k for k, _ in ended if "8/12 runs" in said(tmp_path, k)[0]]
    assert len(trained) == 1
    for k, code in ended:
        out, err = said(tmp_path, k)
        if code == 2:
            assert re.match("error: results: in use by .*\n$", err)
        else:
            assert (out.count("8/12 runs"), err) == (int(k in trained), "")
    make_small(monkeypatch, tmp_path)
    threads = torch.get_num_threads()
    try:
        assert run_small(small_spec(), tmp_path / "alone", resources=Resources("cpu", threads=1))
    finally:
        torch.set_num_threads(threads)
    assert result_bytes(tmp_path / "results") == result_bytes(tmp_path / "alone")
