"""Damaged parts of a results folder, moved out of the way. Nothing is ever deleted. Imports files."""

from __future__ import annotations

import itertools
from pathlib import Path

from stability.store.files import os_errors_as_stability, sync

DAMAGED = "damaged"


def move_aside(study: Path, path: Path) -> str:
    """Move a file or folder of a study to `damaged/<name>-<n>`; return what was done, in words.

    Raises `StabilityError`: it cannot be moved.
    """
    folder = study / DAMAGED
    with os_errors_as_stability(path):
        folder.mkdir(exist_ok=True)
        free = (folder / f"{path.name}-{n}" for n in itertools.count(1))
        target = next(place for place in free if not place.exists())
        path.rename(target)
        sync(folder)
        sync(path.parent)
    return f"moved {path.relative_to(study)} to {target.relative_to(study)}"
