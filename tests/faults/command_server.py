"""Runs `stability` commands in processes forked from one that has imported everything, to be killed.

Reads orders from stdin, a JSON object a line, and answers each with a line: the process id of the command
that it started, or, told to wait for it (null), how it ended. Every command leads a process group of its own,
keeps a checkpoint whenever it can and adds to its log what it has trained and kept; so do its workers, which
import this file.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import traceback
from collections.abc import Iterator
from functools import wraps
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "runner"))

import alembic.command
import optuna.storages
import pandas
import pyarrow.pandas_compat
import pytest
import scipy.stats
from small_studies import make_small, small_materials

from stability.cli import display, interrupt  # noqa: F401  # as the command imports them
from stability.cli.app import main
from stability.runner import job, study  # noqa: F401
from stability.runner.trainer import CohortTrainer
from stability.store import Store

USUAL_SECONDS, job.CHECKPOINT_SECONDS = job.CHECKPOINT_SECONDS, -1.0
IMPORTED = (alembic.command, optuna.storages, pandas, pyarrow.pandas_compat, scipy.stats)
"""What a study imports only when it gets there: a second that most kills would fall into."""
LOG = "STABILITY_TEST_LOG"
WRITES = ("fsync", "replace", "rename", "unlink", "rmdir")
"""Of `os`: what makes a write of the store hold, and what clears up."""


def log(*words: object) -> None:
    """Add a line to the log of this command, which several processes may write to."""
    descriptor = os.open(os.environ[LOG], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(descriptor, (" ".join(map(str, words)) + "\n").encode())
    os.close(descriptor)


def watch() -> None:
    """Log every step that a cohort could leave off at, and every checkpoint once it is kept."""
    advance, write_checkpoint = CohortTrainer.advance, Store.write_checkpoint

    @wraps(advance)
    def watched(self: CohortTrainer) -> Iterator[int]:
        for member_steps in advance(self):
            log("trained", next(iter(self.tracks)), self.step)
            yield member_steps

    @wraps(write_checkpoint)
    def told(self: Store, cohort_id: str, *state: Any) -> None:
        write_checkpoint(self, cohort_id, *state)
        log("kept", cohort_id)

    CohortTrainer.advance = watched  # type: ignore[method-assign]
    Store.write_checkpoint = told  # type: ignore[method-assign]


def die_at(k: int) -> None:
    """Be killed just before the k-th write, of a file with only half of it written."""
    left = iter(range(k - 1, -1, -1))

    def dying(name: str) -> Any:
        real = getattr(os, name)

        @wraps(real)
        def call(*args: Any, **options: Any) -> Any:
            if next(left, None) == 0:
                if name == "fsync" and stat.S_ISREG(os.fstat(args[0]).st_mode):
                    tear(args[0])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **options)

        return call

    for name in WRITES:
        setattr(os, name, dying(name))


def tear(descriptor: int) -> None:
    """Cut off half of a file that is not flushed yet."""
    path = f"/proc/self/fd/{descriptor}"
    os.truncate(path, os.fstat(descriptor).st_size // 2)


def start(order: dict[str, Any]) -> int:
    """The process id of a command: its arguments, output file, log and, if so, the write that it dies at."""
    pid = os.fork()
    if pid:
        return pid
    code = 99
    try:
        os.setsid()
        output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ[LOG] = order["log"]
        sys.argv = ["stability", *order["arguments"]]
        if not order["checkpoints"]:
            job.CHECKPOINT_SECONDS = USUAL_SECONDS
        if order["die_at"]:
            die_at(order["die_at"])
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def serve() -> None:
    """Do as ordered until stdin ends; what is still running then is killed."""
    pid = 0
    for line in sys.stdin:
        order = json.loads(line)
        if order is None:
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
            pid = 0
        else:
            pid = start(order)
            print(pid, flush=True)
    if pid:
        os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    make_small(pytest.MonkeyPatch(), Path(os.environ["XDG_CACHE_HOME"]))
    small_materials()
    watch()
    print("ready", flush=True)
    serve()
else:  # in a worker, which is begun anew and not forked
    watch()
