"""Cohorts and checkpoints as bytes, between folders that share no disk. Imports the store and its parts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stability.errors import StabilityError
from stability.store.files import folder_at_once, os_errors_as_stability, replace_file, write_flushed
from stability.store.seals import DIGESTS, decode_digests, sha256
from stability.store.store import Store
from stability.store.transaction import COHORTS


def cohort_parcel(store: Store, cohort_id: str) -> dict[str, bytes]:
    """Every file of a cohort that has just been finished, by its path in the cohort's folder."""
    folder = store.folder / COHORTS / cohort_id
    with os_errors_as_stability(folder):
        files = (path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def keep_parcel(store: Store, cohort_id: str, files: Mapping[str, bytes]) -> None:
    """Keep a finished cohort, all or nothing, and drop its checkpoint.

    Raises `ValueError`: it is finished already; `StabilityError`: it cannot be written, or arrived damaged.
    """
    digests = decode_digests(files.get(DIGESTS, b""))
    if digests is None or digests != {name: sha256(files[name]) for name in files if name != DIGESTS}:
        raise StabilityError(f"{store.folder}: {cohort_id} arrived damaged, its digests are others")
    store.check_stayed()
    with folder_at_once(store.folder / COHORTS / cohort_id) as folder:
        for name, content in files.items():
            path = folder / Path(name)
            path.parent.mkdir(exist_ok=True)
            write_flushed(path, content)
    store.drop_checkpoint(cohort_id)


def read_checkpoint(store: Store, cohort_id: str) -> bytes | None:
    """A cohort's checkpoint as it is; None where there is none."""
    path = store.checkpoint_path(cohort_id)
    with os_errors_as_stability(path):
        return path.read_bytes() if path.is_file() else None


def keep_checkpoint(store: Store, cohort_id: str, content: bytes) -> None:
    """Put a checkpoint in the place of the cohort's last one."""
    store.check_stayed()
    replace_file(store.checkpoint_path(cohort_id), content)
