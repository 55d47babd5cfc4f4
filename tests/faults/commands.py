"""Commands under way in other processes, and what must hold of the results folder whenever one was killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from stability.store import DamagedCheckpoint, Store
from stability.store.repair.examine import Fault, Remedy, examine_files
from stability.store.seals import DIGESTS, decode_digests
from stability.store.tables import SCHEMAS, read_table

SERVER = Path(__file__).with_name("command_server.py")
PATIENCE = 1200.0
"""Seconds that anything may take; nothing is measured by it."""
GOING_ON = re.compile(r"going on with (c\d+) at step (\d+)")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
TEMPORARY = ".*.tmp-*"


class Commands:
    """Starts `stability` commands, one at a time, without the seconds that imports take."""

    def __init__(self, place: Path, orders: IO[str], answers: IO[str]) -> None:
        """Use `serving`."""
        self._place, self._orders, self._answers = place, orders, answers
        self._count = 0

    def start(self, *arguments: str | Path, die_at: int = 0, checkpoints: bool = True) -> Command:
        """Begin a command; it is killed at its `die_at`-th write, counted from 1."""
        self._count += 1
        stem = self._place / f"command-{self._count}"
        order = {
            "arguments": [str(argument) for argument in arguments],
            "output": f"{stem}.output",
            "log": f"{stem}.log",
            "die_at": die_at,
            "checkpoints": checkpoints,
        }
        return Command(int(self._ask(order)), stem, self)

    def end(self) -> int:
        """Wait for the command that was started; how it ended, as `subprocess` says it."""
        return int(self._ask(None))

    def _ask(self, order: object) -> str:
        self._orders.write(json.dumps(order) + "\n")
        self._orders.flush()
        answer = self._answers.readline()
        assert answer, "the server has ended"
        return answer


@contextmanager
def serving(place: Path) -> Iterator[Commands]:
    """A server of commands whose files are in a folder, until the block ends."""
    with subprocess.Popen(
        [sys.executable, str(SERVER)],
        cwd=place, env=os.environ | ONE_THREAD | {"XDG_CACHE_HOME": str(place)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        yield Commands(place, server.stdin, server.stdout)


@dataclass(slots=True)
class Command:
    """One process of the server's; its id stays its own until `end`."""

    pid: int
    stem: Path
    commands: Commands
    deaths: int = 0
    """Of its workers, before its own."""

    def end(self) -> int:
        """Wait for it; how it ended."""
        return self.commands.end()

    def is_alive(self) -> bool:
        return is_alive(self.pid)

    def log(self) -> list[str]:
        """Its whole lines so far."""
        path = self.stem.with_suffix(".log")
        return path.read_text().splitlines() if path.is_file() else []

    def output(self) -> str:
        path = self.stem.with_suffix(".output")
        return path.read_text() if path.is_file() else ""

    def wait_for(self, seen: Callable[[], object]) -> bool:
        """Wait until something is seen; False if it has ended before."""
        deadline = time.monotonic() + PATIENCE
        while self.is_alive():
            if seen():
                return True
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.0005)
        return False

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def kill_group(self) -> None:
        os.killpg(self.pid, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def workers_of(pid: int) -> list[int]:
    """The processes that a process has started to train in; not what else multiprocessing needs."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [
            int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return []


def wait_until_gone(pids: Sequence[int]) -> None:
    """Those that were importing end when they have; nothing but their end is waited for."""
    deadline = time.monotonic() + PATIENCE
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline, f"still there: {pids}"
        time.sleep(0.01)


@dataclass(slots=True)
class Standing:
    """What of a study is finished, byte for byte, and how far its checkpoints are."""

    finished: dict[str, dict[str, bytes]] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    first_runs: dict[str, str] = field(default_factory=dict)
    """Of each cohort, by which the log names it."""

    @classmethod
    def of(cls, folder: Path) -> Standing:
        """As it is now, while nobody writes."""
        if not Store.holds_study(folder):
            return cls()
        store = Store.open(folder)
        finished = store.finished()
        return cls(
            {cohort: file_bytes(folder / "cohorts" / cohort) for cohort in finished},
            {
                cohort.id: step
                for cohort in store.plan.cohorts
                if cohort.id not in finished and (step := checkpoint_step(store, cohort.id)) is not None
            },
            {cohort.runs[0]: cohort.id for cohort in store.plan.cohorts},
        )


def checkpoint_step(store: Store, cohort_id: str) -> int | None:
    """The step that a cohort would go on at; None where it has no checkpoint."""
    read = store.read_checkpoint(cohort_id)
    assert not isinstance(read, DamagedCheckpoint), read
    return None if read is None else max(track["history"]["last_step"] for track in read[1]["tracks"])


def file_bytes(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check_after_kill(folder: Path, before: Standing, command: Command) -> Standing:
    """Nothing that was kept is lost, and of what was under way no more than it takes to the next checkpoint.

    How it stood before the command that was killed is given; returned is how it stands now.
    """
    now = Standing.of(folder)
    for cohort, files in before.finished.items():
        assert now.finished.get(cohort) == files, cohort
    for cohort, step in before.steps.items():
        assert cohort in now.finished or now.steps.get(cohort, -1) >= step, cohort
    check_lost(now, command)
    check_went_on(before, command.output())
    assert worst_faults(folder) == []
    return now


def worst_faults(folder: Path) -> list[Fault]:
    """What the next command does not clear up by itself, if there is a study already."""
    if not Store.holds_study(folder):
        return []
    faults = examine_files(Store.open(folder)).faults
    return [fault for fault in faults if fault.remedy not in {Remedy.REMOVE, Remedy.SETTLE}]


def check_lost(now: Standing, command: Command) -> None:
    """A checkpoint holds what was said to be kept; these commands keep one whenever they can."""
    trained: dict[str, int] = {}
    kept: dict[str, int] = {}
    unkept: Counter[str] = Counter()
    for line in command.log():
        match line.split():
            case ["trained", run, step]:
                cohort = now.first_runs[run]
                trained[cohort] = int(step)
                unkept[cohort] += 1
            case ["kept", cohort]:
                kept[cohort] = trained[cohort]
                unkept[cohort] = 0
            case _:
                raise AssertionError(line)
    assert max(unkept.values(), default=0) <= 1 + command.deaths, command.log()
    for cohort, step in kept.items():
        assert cohort in now.finished or now.steps[cohort] in {step, trained[cohort]}, cohort


def check_went_on(before: Standing, output: str) -> None:
    """What had a checkpoint went on at it, and at no earlier step if a worker died in between."""
    unborn = output.count("in spawn_main")  # of workers that were not told yet what to do, and never will be
    assert output.count("Traceback") == unborn, output
    assert "over:" not in output, output
    steps: dict[str, int] = {}
    for cohort, step in GOING_ON.findall(output):
        assert int(step) == before.steps.get(cohort, int(step)) if cohort not in steps else True
        assert int(step) >= steps.get(cohort, 0)
        steps[cohort] = int(step)


def measured(folder: Path) -> dict[str, object]:
    """All that a finished study holds, byte for byte, but how long its runs took and what is derived."""
    found: dict[str, object] = dict(file_bytes(folder))
    for name in (".lock", "run.log", "study.db"):
        found.pop(name, None)
    for name in [name for name in found if name.endswith(("/runs.parquet", f"/{DIGESTS}"))]:
        path = folder / name
        if path.name == DIGESTS:
            digests = decode_digests(path.read_bytes())
            assert digests is not None
            found[name] = {file: digest for file, digest in digests.items() if file != "runs.parquet"}
        else:
            rows = read_table(path, SCHEMAS["runs"]).drop_columns(["seconds"]).to_pylist()
            found[name] = list(map(repr, rows))  # in which NaN is NaN
    return found


def temporary_names(folder: Path) -> list[str]:
    """What a writer has under way, or has left."""
    places = (folder, folder / "cohorts", folder / "checkpoints")
    return [str(path.relative_to(folder)) for place in places for path in place.glob(TEMPORARY)]
