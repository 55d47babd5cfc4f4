"""Files that are whole or absent: temporary name, fsync, rename. Imports only errors.

Every `OSError` of a store leaves here as one line that names the path.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from stability.errors import StabilityError

TEMPORARY = ".tmp-"
UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


@contextmanager
def os_errors_as_stability(path: Path) -> Iterator[None]:
    """Turn an `OSError` met while working on path into a `StabilityError` that names it."""
    try:
        yield
    except OSError as error:
        raise StabilityError(f"{path}: {error.strerror or error}") from error


def check_writable(folder: Path) -> None:
    """Raise `StabilityError` where a folder, or one that is yet to be made, cannot be written to."""
    with os_errors_as_stability(folder):
        there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise StabilityError(f"{folder}: {os.strerror(errno.ENOTDIR)}")
    if not os.access(there, os.W_OK | os.X_OK):
        read_only = os.statvfs(there).f_flag & os.ST_RDONLY
        raise StabilityError(f"{folder}: {os.strerror(errno.EROFS if read_only else errno.EACCES)}")


def host_name() -> str:
    """The name of this machine, as it can stand in the name of a file."""
    return UNSAFE.sub("_", socket.gethostname())[:32]


def temporary_name(path: Path) -> Path:
    """The hidden name beside path under which this process of this machine prepares it."""
    return path.with_name(f".{path.name}{TEMPORARY}{host_name()}-{os.getpid()}")


def temporary_owner(path: Path) -> tuple[str, int] | None:
    """The host and process that prepare something under such a name; None if it does not say.

    Older releases named no host; then it is empty.
    """
    host, _, pid = path.name.rpartition(TEMPORARY)[2].rpartition("-")
    return (host, int(pid)) if pid.isascii() and pid.isdigit() else None


def sync(path: Path) -> None:
    """Flush a file, or a folder's list of names, so that what was done to it survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_flushed(path: Path, content: bytes) -> None:
    """Write content and flush it to the disk; not atomic by itself."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, content: bytes) -> None:
    """Write content under a temporary name, flush it and rename it to path: all or nothing."""
    with file_at_once(path) as temporary:
        write_flushed(temporary, content)


@contextmanager
def file_at_once(path: Path) -> Iterator[Path]:
    """Yield a hidden name to write to; when the block ends well, flush that file and rename it to path."""
    with os_errors_as_stability(path), _renamed_to(path) as temporary:
        yield temporary


@contextmanager
def _renamed_to(path: Path) -> Iterator[Path]:
    temporary = temporary_name(path)
    try:
        temporary.unlink(missing_ok=True)
        yield temporary
        sync(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)


def write_asked(path: Path, content: bytes) -> None:
    """Write a file where a user asked for it; an older one, whose mode it keeps, stays until it is whole.

    A pipe, a device, what is behind a link, and what lies in a folder that takes no more files is written to
    as it is.

    Raises `OSError`.
    """
    is_there = path.exists()
    if path.is_symlink() or (is_there and not (path.is_file() and os.access(path.parent, os.W_OK))):
        path.write_bytes(content)
        return
    with _renamed_to(path) as temporary:
        write_flushed(temporary, content)
        if is_there:
            shutil.copymode(path, temporary)


@contextmanager
def folder_at_once(path: Path) -> Iterator[Path]:
    """Yield an empty hidden folder; when the block ends well, flush it and rename it to path.

    The folder around it must be there: where somebody has removed it, nothing of it comes back.

    Raises `ValueError`: path exists; what is finished is never written twice.
    """
    if path.exists():
        raise ValueError(f"{path} is already there")
    temporary = temporary_name(path)
    with os_errors_as_stability(path):
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            yield temporary
            for folder in (temporary, *(entry for entry in temporary.iterdir() if entry.is_dir())):
                sync(folder)
            temporary.rename(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        sync(path.parent)


def remove_folder(path: Path) -> None:
    """Remove a folder, all at once as far as its name is concerned."""
    temporary = temporary_name(path)
    with os_errors_as_stability(path):
        shutil.rmtree(temporary, ignore_errors=True)
        path.rename(temporary)
        sync(path.parent)
        shutil.rmtree(temporary)


def sweep(folder: Path, spare: Collection[str] = ()) -> None:
    """Remove what a killed writer left under temporary names; only the holder of the lock may.

    What begins with a name to spare, up to a dot, somebody else is writing.
    """
    for leftover in folder.glob(f".*{TEMPORARY}*"):
        if leftover.name[1:].partition(".")[0] in spare:
            continue
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)
