"""Starts `stability run` many times at once: imports everything, then forks, so that all begin together.

Usage: starts.py COUNT FOLDER STUDY, in a folder of its own. Start k writes to FOLDER/k.out and FOLDER/k.err.
A line with the process ids is printed, then one with k and the exit code as each ends.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "runner"))

import pytest
from small_studies import make_small

from stability.cli.app import main


def start(k: int, outputs: Path, study: str, gate: int) -> int:
    """The process id of one more start, which waits until the gate closes."""
    pid = os.fork()
    if pid:
        return pid
    code = 99
    try:
        for descriptor, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(outputs / f"{k}.{name}", os.O_WRONLY | os.O_CREAT), descriptor)
        sys.argv = ["stability", "run", study, "--out", "results", "--device", "cpu"]
        os.read(gate, 1)
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run_all(count: int, outputs: Path, study: str) -> None:
    gate, closed = os.pipe()
    os.set_inheritable(gate, True)
    children: dict[int, int] = {}
    for k in range(count):
        children[start(k, outputs, study, gate)] = k
    print(*children, flush=True)
    os.write(closed, b"x" * count)
    while children:
        pid, status = os.wait()
        print(children.pop(pid), os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    make_small(pytest.MonkeyPatch(), Path(os.environ["XDG_CACHE_HOME"]))
    run_all(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
