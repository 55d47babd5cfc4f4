"""Every file of a results folder examined: what is wrong, what is lost by it, what can be done.

Imports records, spec and the store's parts. What needs the engine or Optuna is examined by the runner.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import get_args

from stability.errors import StabilityError
from stability.store.checkpoints import DamagedCheckpoint, decode_checkpoint
from stability.store.cohorts import FILMSTRIPS, LATENT, WEIGHTS
from stability.store.error_hint import plain
from stability.store.files import TEMPORARY, host_name, os_errors_as_stability, temporary_owner
from stability.store.filmstrips import read_filmstrip
from stability.store.folder import (
    CHECKPOINTS,
    ENVIRONMENT,
    LOCK,
    OTHER_DIGEST,
    PLAN,
    STUDY,
    UNSEALED,
    read_text_file,
)
from stability.store.latent_views import read_latent_view
from stability.store.lock import last_owner
from stability.store.plan import PlannedCohort
from stability.store.repair.unsealed import unsealed_study
from stability.store.seals import DIGESTS, is_whole, sha256
from stability.store.shorter import cut_short
from stability.store.states import STATE
from stability.store.store import Store, TableName
from stability.store.transaction import COHORTS, PENDING, current, read_current

NOTHING = "nothing"
TABLES: tuple[TableName, ...] = get_args(TableName)


class Remedy(StrEnum):
    """What a repair does about a fault."""

    NONE = "by hand"
    ASIDE = "move aside"
    REMOVE = "remove"
    SETTLE = "settle"
    RENEW = "renew"
    SEAL = "seal"
    ADOPT = "adopt"
    REBUILD = "rebuild"
    MIGRATE = "migrate"


@dataclass(frozen=True, slots=True)
class Fault:
    """One file that is not as it should be."""

    file: str
    """Relative to the results folder."""
    wrong: str
    lost: str
    repair: str
    """What `--repair` does about it, or what else can be done."""
    remedy: Remedy
    part: str = ""
    """What a repair moves, removes or writes anew, if that is not the file itself."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found in a results folder."""

    faults: tuple[Fault, ...]
    notes: tuple[str, ...]
    """What is not wrong, but less than it could be."""
    files: int
    """How many files were looked at."""


def examine_files(store: Store) -> Examination:
    """Look at every file of a study whose plan can be read.

    A folder that is being written to may be looked at; what its writer is doing just then is no fault.
    """
    faults = [
        *_leftovers(store.folder),
        *_texts(store),
        *_strangers(store),
        *_damaged_checkpoints(store),
        *_undone(store),
    ]
    notes = [
        *_elsewhere(store.folder),
        *(
            f"{COHORTS}/{cohort}: of a shorter horizon; `run` goes on from there"
            for cohort in cut_short(store)
        ),
    ]
    for cohort in store.plan.cohorts:
        if (store.folder / COHORTS / cohort.id).is_dir():
            of_cohort, sealed = _cohort(store, cohort)
            faults += of_cohort
            if not sealed:
                notes.append(f"{COHORTS}/{cohort.id}: written without digests, so only decoded")
    files = sum(path.is_file() for path in store.folder.rglob("*"))
    return Examination(tuple(faults), tuple(notes), files)


def loose_ends(store: Store) -> list[Fault]:
    """What the next writer clears up as it takes the lock."""
    return [*_leftovers(store.folder), *_undone(store)]


def _leftovers(folder: Path) -> Iterator[Fault]:
    """Temporary names whose writer is dead; a living one may be at work on them."""
    for place in (folder, folder / COHORTS, folder / CHECKPOINTS):
        for path in sorted(place.glob(f".*{TEMPORARY}*")):
            owner = temporary_owner(path)
            if owner is None or not _may_live(*owner):
                yield Fault(
                    str(path.relative_to(folder)),
                    "left by a writer that was killed",
                    NOTHING,
                    "removes it",
                    Remedy.REMOVE,
                )


def _may_live(host: str, pid: int) -> bool:
    """Whether a process is alive; another host's may be, for all that is known here."""
    return host not in ("", host_name()) or _is_alive(pid)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return pid > 0  # of the others each means many


def _has_writer(folder: Path) -> bool:
    """Whether the process that last signed the lock may still be there."""
    owner = last_owner(folder / LOCK)
    return owner is not None and owner != (host_name(), os.getpid()) and _may_live(*owner)


def _elsewhere(folder: Path) -> Iterator[str]:
    """What cannot be told here, since another host may be writing."""
    places = (folder, folder / COHORTS, folder / CHECKPOINTS)
    names = [path for place in places for path in place.glob(f".*{TEMPORARY}*")]
    owners = {owner for owner in map(temporary_owner, names) if owner is not None}
    unfinished = (folder / PENDING).is_dir() or any((folder / CHECKPOINTS).glob("*.safetensors"))
    if unfinished and (last := last_owner(folder / LOCK)) is not None:
        owners.add(last)
    for host, pid in sorted(owners):
        if host not in ("", host_name()):
            yield f"process {pid} on {host} may still be writing, or may have been killed: ask there"


def _undone(store: Store) -> list[Fault]:
    """What a writer does last of all; one that is there may be about to."""
    return [] if _has_writer(store.folder) else [*_pending(store.folder), *_idle_checkpoints(store)]


def _pending(folder: Path) -> Iterator[Fault]:
    if (folder / PENDING).is_dir():
        wrong = "changes that hold, but have not all moved to their places"
        yield Fault(PENDING, wrong, NOTHING, "moves them, as `run` would", Remedy.SETTLE)


def _texts(store: Store) -> Iterator[Fault]:
    """The study file, the environment and the plan, which was read before."""
    yield from _study(store)
    try:
        store.environment  # noqa: B018
    except StabilityError as error:
        yield Fault(
            ENVIRONMENT,
            _reason(error, store.folder),
            "what the study was started with: versions, device, data; no run",
            "moves it aside; `run` writes down what it finds then",
            Remedy.RENEW,
        )
    else:
        yield from _unsealed(store, ENVIRONMENT)
    yield from _unsealed(store, PLAN)


def _unsealed(store: Store, name: str) -> Iterator[Fault]:
    if is_whole(read_text_file(store.folder, name)) is None:
        yield Fault(name, UNSEALED, NOTHING, "writes it anew, since it can be decoded", Remedy.SEAL)


def _study(store: Store) -> Iterator[Fault]:
    try:
        store.study_yaml  # noqa: B018
    except StabilityError as error:
        wrong = _reason(error, store.folder)
    else:
        return
    if unsealed_study(store) is not None:
        yield Fault(STUDY, wrong, NOTHING, "seals it, since it is the same study", Remedy.ADOPT)
        return
    yield Fault(
        STUDY,
        wrong,
        "how the study samples, records and labels; no run",
        f"none; put the study's own file in its place and check again: {ENVIRONMENT} knows it by a digest",
        Remedy.NONE,
    )


def _strangers(store: Store) -> Iterator[Fault]:
    """What lies among cohorts and checkpoints and is none."""
    planned = {cohort.id for cohort in store.plan.cohorts}
    for place, names in ((COHORTS, planned), (CHECKPOINTS, {f"{name}.safetensors" for name in planned})):
        folder = store.folder / place
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            is_kind = path.is_dir() if place == COHORTS else path.is_file()
            if not path.name.startswith(".") and not (path.name in names and is_kind):
                yield Fault(f"{place}/{path.name}", "is not planned", NOTHING, "moves it aside", Remedy.ASIDE)


def _idle_checkpoints(store: Store) -> Iterator[Fault]:
    for cohort in sorted(store.finished()):
        file = f"{CHECKPOINTS}/{cohort}.safetensors"
        if (store.folder / file).exists():
            yield Fault(file, "its cohort is finished", NOTHING, "removes it", Remedy.REMOVE)


def _damaged_checkpoints(store: Store) -> Iterator[Fault]:
    finished = store.finished()
    for cohort in (cohort for cohort in store.plan.cohorts if cohort.id not in finished):
        file = f"{CHECKPOINTS}/{cohort.id}.safetensors"
        read = store.read_checkpoint(cohort.id)
        if isinstance(read, DamagedCheckpoint):
            reason = read.reason.removeprefix(f"{store.folder / file}: ")
            lost = f"how far {len(cohort.runs)} runs were"
            yield Fault(file, reason, lost, "moves it aside; `run` starts them over", Remedy.ASIDE)


def _cohort(store: Store, cohort: PlannedCohort) -> tuple[list[Fault], bool]:
    """The faults of a finished cohort, and whether it has digests that can be believed."""
    part = f"{COHORTS}/{cohort.id}"
    bad_digests = False
    try:
        digests = store.digests(cohort.id)
    except StabilityError:
        digests, bad_digests = None, True
    wrong = _cohort_wrongs(store, cohort, digests)
    faults = [
        Fault(
            current(store.folder, Path(part, file)).relative_to(store.folder).as_posix(),
            reason,
            _loss(file, cohort),
            f"moves {part} aside; `run` trains its {len(cohort.runs)} runs again",
            Remedy.ASIDE,
            part,
        )
        for file, reason in wrong.items()
    ]
    if bad_digests and not faults:
        words = "writes them anew, since all that they are of can be decoded"
        faults = [
            Fault(f"{part}/{DIGESTS}", "damaged, these are no digests", NOTHING, words, Remedy.SEAL, part)
        ]
    return faults, digests is not None


def _loss(file: str, cohort: PlannedCohort) -> str:
    if STATE.fullmatch(file):
        return f"what its {len(cohort.runs)} runs would go on from"
    if "/" not in file:
        return f"what is told of its {len(cohort.runs)} runs"
    kind, _, name = file.partition("/")
    words = {FILMSTRIPS: "the film", WEIGHTS: "the weights", LATENT: "the latent view"}
    return f"{words.get(kind, 'a file')} of {name.rpartition('.')[0]}"


def _cohort_wrongs(store: Store, cohort: PlannedCohort, digests: dict[str, str] | None) -> dict[str, str]:
    """By file: what is wrong with it."""
    wrong = _changed(store, cohort, digests or {})
    for table in TABLES:
        file = f"{table}.parquet"
        if file not in wrong and (reason := _table_wrong(store, cohort, table)):
            wrong[file] = reason
    looked_at = {*wrong, DIGESTS, *(f"{table}.parquet" for table in TABLES)}
    folder = store.folder / COHORTS / cohort.id
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        file = path.relative_to(folder).as_posix()
        if file not in looked_at and (reason := _file_wrong(path, file, cohort, digests)):
            wrong[file] = reason
    return wrong


def _changed(store: Store, cohort: PlannedCohort, digests: dict[str, str]) -> dict[str, str]:
    """The files that are not as they were written."""
    wrong = {}
    for name, digest in digests.items():
        if not _has_digest(store, cohort.id, name, digest):
            present = current(store.folder, Path(COHORTS, cohort.id, name)).is_file()
            wrong[name] = OTHER_DIGEST if present else "is missing"
    return wrong


def _has_digest(store: Store, cohort_id: str, name: str, digest: str) -> bool:
    """Whether a file is as it was written; once more where labels change in between."""
    for _ in range(2):
        try:
            content = read_current(store.folder, Path(COHORTS, cohort_id, name))
        except OSError:
            return False
        if sha256(content) == digest:
            return True
        digest = (store.digests(cohort_id) or {}).get(name, "")
    return False


def _table_wrong(store: Store, cohort: PlannedCohort, name: TableName) -> str | None:
    relative = Path(COHORTS, cohort.id, f"{name}.parquet")
    try:
        with os_errors_as_stability(store.folder / relative):
            content = read_current(store.folder, relative)
        table = store.decoded_table(cohort.id, name, content)
    except StabilityError as error:
        return _reason(error, store.folder / COHORTS / cohort.id)
    strangers = set(table["run"].to_pylist()) - set(cohort.runs)
    return f"{sorted(strangers)[0]!r} is no run of this cohort" if strangers else None


def _file_wrong(path: Path, file: str, cohort: PlannedCohort, digests: dict[str, str] | None) -> str | None:
    """What is wrong with a file of a single run; one with a digest has been looked at by that."""
    kind, _, name = file.partition("/")
    read = READERS.get(kind)
    belongs = STATE.fullmatch(file) or (read is not None and name.rpartition(".")[0] in cohort.runs)
    if not belongs:
        return "does not belong here"
    if digests is not None:
        return None if file in digests else "does not belong here"
    try:
        return (read or _read_weights)(path)
    except StabilityError as error:
        return _reason(error, path.parents[1])
    except OSError as error:
        return str(error.strerror)


def _read_film(path: Path) -> None:
    read_filmstrip(path)


def _read_view(path: Path) -> None:
    read_latent_view(path)


def _read_weights(path: Path) -> str | None:
    read = decode_checkpoint(path.read_bytes())
    return read.reason if isinstance(read, DamagedCheckpoint) else None


READERS: dict[str, Callable[[Path], str | None]] = {
    FILMSTRIPS: _read_film,
    LATENT: _read_view,
    WEIGHTS: _read_weights,
}
"""By folder of a cohort: reads a file of it and says what is wrong, or raises `StabilityError`."""


def _reason(error: StabilityError, folder: Path) -> str:
    """What an error says, without the file that it names first."""
    text = plain(error, folder)
    return text.partition(": ")[2] if text.startswith(str(folder)) else text
