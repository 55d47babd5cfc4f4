"""The files at the top of a results folder: names, texts that are read whole, a folder yet to be laid.

Imports the store's parts that need no plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stability.errors import StabilityError
from stability.store.error_hint import advised
from stability.store.files import os_errors_as_stability
from stability.store.plan import FORMAT_VERSION, Plan, version_of
from stability.store.seals import is_whole, sha256, unsealed_text
from stability.store.transaction import COHORTS, read_current

PLAN = "plan.json"
STUDY = "study.yaml"
ENVIRONMENT = "environment.json"
LOCK = ".lock"
CHECKPOINTS = "checkpoints"

BROKEN_SEAL = "damaged or edited, its last line is not its digest"
OTHER_DIGEST = "its digest is not the one it was written with"
UNSEALED = "cut short or put there by hand, its last line is no digest"


def read_file(folder: Path, relative: Path) -> bytes:
    """The file in force, by its path in the folder. Raises `StabilityError`: it is missing or unreadable."""
    with os_errors_as_stability(folder / relative):
        return read_current(folder, relative)


def read_text_file(folder: Path, name: str) -> bytes:
    """A text file of the folder, with its seal if it has one.

    Raises `StabilityError`: it is missing, is no text, or is not as it was sealed.
    """
    content = read_file(folder, Path(name))
    try:
        content.decode()
    except UnicodeDecodeError:
        raise StabilityError(f"{folder / name}: damaged, this is no text") from None
    if is_whole(content) is False:
        raise StabilityError(f"{folder / name}: {BROKEN_SEAL}")
    return content


def with_study_digest(environment: Mapping[str, Any], study_yaml: str) -> dict[str, Any]:
    """The environment with the study's digest, by which a study file that was lost and put back is known."""
    return {**environment, "study": {"sha256": sha256(study_yaml.encode())}}


def read_plan(folder: Path) -> Plan:
    """The plan of a results folder.

    Raises `StabilityError`: the folder is missing, holds no study, or another format version wrote it.
    """
    path = folder / PLAN
    if not folder.is_dir():
        raise StabilityError(f"{folder}: no such results folder")
    if not path.is_file():
        raise StabilityError(f"{folder}: not a study's results, it has no {PLAN}")
    with os_errors_as_stability(path):
        content = read_current(folder, Path(PLAN))
    if version_of(content) not in (None, FORMAT_VERSION):
        return Plan.from_json(content, source=str(path))  # which says what to do about that
    with advised(folder):
        return Plan.from_json(content, source=str(path))


def check_free(folder: Path, study_yaml: str, *, may_be_laid: bool = False) -> None:
    """Refuse a folder with anything in it but what a killed `created` of the same study may have left.

    A study file that says anything else is its owner's, and must not be written over. Without the lock a
    study `may_be_laid` meanwhile, and its owner may have written more than that: the lock will tell.
    """
    with os_errors_as_stability(folder):
        names = {entry.name for entry in folder.iterdir() if entry.name[0] != "."}
        if PLAN in names:
            if may_be_laid:
                return
            raise StabilityError(f"{folder}: already holds a study")
        study = folder / STUDY
        ours = study.is_file() and unsealed_text(study.read_bytes()) == study_yaml.encode()
    own = {STUDY, ENVIRONMENT, COHORTS, CHECKPOINTS} if ours else set()
    if others := sorted(names - own):
        raise StabilityError(f"{folder}: not empty and not a study's results, it holds {others[0]!r}")
