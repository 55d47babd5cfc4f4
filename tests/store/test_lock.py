from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stability.errors import StabilityError
from stability.store import lock
from stability.store.lock import last_owner, locked, locks_hold

HOLDER = """
import sys, time
from pathlib import Path
from stability.store.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_by_name_and_takes_over_from_a_killed_one(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(StabilityError) as caught, locked(path):
                pytest.fail("two writers")
            assert f"process {holder.pid} on {socket.gethostname()}, started 20" in str(caught.value)
        finally:
            holder.send_signal(signal.SIGKILL)
    assert path.exists()
    with locked(path):
        assert f'"pid": {os.getpid()}' in path.read_text()


def test_one_process_cannot_hold_it_twice(tmp_path: Path) -> None:
    with (
        locked(tmp_path / ".lock"),
        pytest.raises(StabilityError, match="in use"),
        locked(tmp_path / ".lock"),
    ):
        pytest.fail("two writers")
    with locked(tmp_path / ".lock"):
        pass


def test_a_driver_on_another_host_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(lock, "host_name", lambda: "node-7")
        there = locked(tmp_path / ".lock")
        there.__enter__()
    with (
        pytest.raises(StabilityError, match=f"in use by process {os.getpid()} on node-7, started 20"),
        locked(tmp_path / ".lock"),
    ):
        pytest.fail("two writers")
    there.__exit__(None, None, None)


def test_a_disk_that_keeps_no_locks_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with locked(tmp_path / ".lock"):
        assert locks_hold(tmp_path)
        monkeypatch.setattr(fcntl, "flock", lambda *_: None)
        assert not locks_hold(tmp_path)
        monkeypatch.undo()
        with pytest.raises(StabilityError, match="in use"), locked(tmp_path / ".lock"):
            pytest.fail("two writers")
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


@pytest.mark.parametrize("content", ["", "nonsense", "[1]", "{}"])
def test_an_owner_that_has_not_signed_refuses_all_the_same(tmp_path: Path, content: str) -> None:
    path = tmp_path / ".lock"
    with locked(path):
        path.write_text(content)
        with pytest.raises(StabilityError, match="another process"), locked(path):
            pytest.fail("two writers")


@pytest.mark.parametrize(
    "content", ["", "nonsense", "[1]", "{}", '{"pid": true, "host": "a"}', "[" * 100_000]
)
def test_a_lock_that_nobody_signed_has_no_owner(tmp_path: Path, content: str) -> None:
    (tmp_path / ".lock").write_text(content)
    assert last_owner(tmp_path / ".lock") is None
    assert last_owner(tmp_path / "none") is None


def test_the_last_owner_is_known_by_host_and_process(tmp_path: Path) -> None:
    with locked(tmp_path / ".lock"):
        pass
    assert last_owner(tmp_path / ".lock") == (socket.gethostname(), os.getpid())


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(StabilityError, match="No such file"), locked(tmp_path / "none" / ".lock"):
        pytest.fail("locked nothing")
