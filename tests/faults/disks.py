"""A small disk on which `stability` commands are carried out, seen from a test; see `disk_commands.py`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMANDS = Path(__file__).with_name("disk_commands.py")
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS")}


@dataclass(frozen=True)
class Answer:
    """How a command ended, what it said, and how many workers it left behind."""

    code: int
    out: str
    err: str
    workers: int


@dataclass(frozen=True)
class Disk:
    """The disk as it is seen from outside its mount namespace, and whoever works on it."""

    process: subprocess.Popen[str]
    root: Path

    @property
    def results(self) -> Path:
        """Where the study's results are."""
        return self.root / "results"

    def stability(self, *arguments: str, **faults: Any) -> Answer:
        """Carry out a command in the root of the disk, with faults as `disk_commands` knows them."""
        return Answer(**self._ask(do="run", arguments=arguments, **faults))

    def leave(self, *, pages: int | None = None, inodes: int | None = None) -> None:
        """Leave so much room; plenty of what is not named."""
        self._ask(do="resize", pages=pages, inodes=inodes)

    def cover(self) -> None:
        """Make the results read-only."""
        self._ask(do="cover")

    def uncover(self) -> None:
        """Undo that, or the action `cover`."""
        self._ask(do="uncover")

    def empty(self) -> None:
        """Remove everything."""
        for entry in self.root.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def _ask(self, **request: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())


def own_mounts() -> list[str]:
    """The command that gives a process mounts of its own; an empty one where nothing does."""
    for command in (["unshare", "-m"], ["unshare", "-rm"]):
        attempt = [*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        with suppress(FileNotFoundError):
            if subprocess.run(attempt, capture_output=True, check=False).returncode == 0:
                return command
    return []


@contextmanager
def small_disk(folder: Path, mounts: list[str]) -> Iterator[Disk]:
    """A disk in a folder, or without mounts just a folder; its cache is beside it."""
    place = folder / "disk"
    place.mkdir()
    environment = {**os.environ, **ONE_THREAD, "XDG_CACHE_HOME": str(folder / "cache"), "COLUMNS": "200"}
    with subprocess.Popen(
        [*mounts, sys.executable, str(COMMANDS), str(place), *(["mounted"] if mounts else [])],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == "ready"
        yield Disk(process, Path(f"/proc/{process.pid}/root{place}") if mounts else place)
