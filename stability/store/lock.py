"""One writer per results folder: an advisory lock that dies with its process. Imports errors and files."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from stability.errors import StabilityError
from stability.store.files import host_name, os_errors_as_stability, temporary_name

PROBE = "lock"
PAUSE = 0.02
"""Seconds between two looks at a lock that somebody else holds."""


@contextmanager
def locked(path: Path, *, patience: float = 0.0) -> Iterator[None]:
    """Hold the lock file at path for the block.

    The kernel drops the lock when its owner dies, however it dies, so a stale file refuses nobody. The
    file itself stays: removing it would let two processes lock two different files of one name.

    Raises `StabilityError`: another writer holds it, and still does after `patience` seconds (its pid, host
    and start are named), or it cannot be written.
    """
    with os_errors_as_stability(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        with os_errors_as_stability(path):
            deadline = time.monotonic() + patience
            while not _taken(descriptor):
                if time.monotonic() >= deadline:
                    raise StabilityError(f"{path.parent}: in use by {_owner(descriptor)}")
                time.sleep(PAUSE)
            _sign(descriptor)
        yield
    finally:
        os.close(descriptor)


def locks_hold(folder: Path) -> bool:
    """Whether a second lock on a file of this folder is refused, which some network disks do not do.

    Tried on a file of its own: what is tried on a lock that is held may let go of it.
    """
    probe = temporary_name(folder / PROBE)
    try:
        descriptors = [os.open(probe, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600) for _ in range(2)]
    except OSError:  # whoever writes here next is told what is wrong
        return True
    try:
        first, second = map(_taken, descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
        probe.unlink()
    return first and not second


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def signature(path: Path) -> bytes:
    """What the last one who held the lock has left in its file: nobody else's is the same."""
    with os_errors_as_stability(path):
        return path.read_bytes() if path.is_file() else b""


def last_owner(path: Path) -> tuple[str, int] | None:
    """The host and process that last signed the lock; None where nobody can be told from its file."""
    try:
        owner = json.loads(signature(path))
        host, pid = owner["host"], owner["pid"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return (host, pid) if isinstance(host, str) and type(pid) is int else None


def _sign(descriptor: int) -> None:
    start = datetime.now(UTC).isoformat(timespec="seconds")
    owner = {"pid": os.getpid(), "host": host_name(), "start": start}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(owner).encode(), 0)


def _owner(descriptor: int) -> str:
    """Who holds the lock; its owner may not have signed yet, or the file may be damaged."""
    try:
        owner = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {owner['pid']} on {owner['host']}, started {owner['start']}"
    except (ValueError, TypeError, KeyError):
        return "another process that has just started"
