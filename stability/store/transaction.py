"""Changes of several files of a results folder at once. Imports the store's parts.

The new files (of a relabelling every cohort's labels and the study file, of an extension the plan, the study
file and the environment) are prepared in one folder; renaming it to its name is the one moment at which they
hold. Then each moves to its place. Until it has, readers find it in that folder, and the next writer finishes
what a killed one began.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stability.store.files import folder_at_once, os_errors_as_stability, sync, write_flushed

PENDING = "labels"
"""Named after the first use that it had."""
COHORTS = "cohorts"


def commit_changes(study: Path, files: Mapping[Path, bytes]) -> None:
    """Put these files (by their paths in the study's folder) in force, all or nothing.

    Raises `StabilityError`: they cannot be written; the old ones then hold.
    """
    apply_pending(study)
    with folder_at_once(study / PENDING) as folder:
        for relative, content in files.items():
            target = folder / _pending_name(relative)
            target.parent.mkdir(parents=True, exist_ok=True)
            write_flushed(target, content)
    apply_pending(study)


def apply_pending(study: Path) -> None:
    """Move committed files to their places; safe to be killed in and to be called again."""
    pending = study / PENDING
    if not pending.is_dir():
        return
    with os_errors_as_stability(pending):
        for entry in sorted(pending.iterdir()):
            if entry.is_dir():
                _move(entry, study / COHORTS / entry.name)
        _move(pending, study)
        sync(study)


def current(study: Path, relative: Path) -> Path:
    """Where the file in force is: pending, or in its own place (relative to the study's folder)."""
    pending = study / PENDING / _pending_name(relative)
    return pending if pending.is_file() else study / relative


def read_current(study: Path, relative: Path) -> bytes:
    """The file in force, also where it moves to its place just now.

    Raises `OSError`: it is not there or cannot be read.
    """
    try:
        return current(study, relative).read_bytes()
    except FileNotFoundError:
        return current(study, relative).read_bytes()


def _move(folder: Path, target: Path) -> None:
    """Move everything in a folder to its place, and remove the folder."""
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            _move(entry, target / entry.name)
        else:
            entry.replace(target / entry.name)
    sync(target)
    folder.rmdir()


def _pending_name(relative: Path) -> Path:
    return Path(*relative.parts[1:]) if relative.parts[0] == COHORTS else relative
