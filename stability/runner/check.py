"""A whole results folder examined and repaired: its files, its study.db, and whether plan and study agree.

A repair deletes only what was never finished: damaged parts are moved aside, and `run` trains them again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from stability.design import draw_points, plan_runs
from stability.errors import StabilityError
from stability.runner.optuna_db import BEHIND, STUDY_DB, rebuild_study_db, study_db_fault
from stability.runner.rebuild import rebuilt_plan
from stability.runner.status import is_complete
from stability.spec import StudySpec
from stability.spec.loader import dump_study, parse_study
from stability.store import FORMAT_VERSION, DamagedCheckpoint, Store
from stability.store.advice import plain
from stability.store.aside import move_aside
from stability.store.changes import COHORTS, apply_pending
from stability.store.check import NOTHING, Examination, Fault, Remedy, examine_files
from stability.store.files import replace_file
from stability.store.lock import locked
from stability.store.migrate import migrate, older_version
from stability.store.plan import version_of
from stability.store.seals import DIGESTS, encode_digests, seal_text, sha256
from stability.store.store import CHECKPOINTS, ENVIRONMENT, LOCK, PLAN, STUDY, of_study
from stability.store.unsealed import unsealed_study


def check_study(folder: Path) -> Examination:
    """Examine every file of a results folder; nothing is written, and a running study is not disturbed.

    Raises StabilityError where there is no results folder, or one of a newer format.
    """
    if not folder.is_dir():
        raise StabilityError(f"{folder}: no such results folder")
    if not any((folder / name).exists() for name in (PLAN, COHORTS, ENVIRONMENT)):
        raise StabilityError(f"{folder}: not a study's results, it has no {PLAN}")
    plan_fault = _plan_fault(folder)
    if plan_fault is not None:
        return Examination((plan_fault,), ("the other files are examined once there is a plan",), files=1)
    store = Store.open(folder)
    found = examine_files(store)
    faults: list[Fault] = list(found.faults)
    notes: list[str] = list(found.notes)
    spec = _spec(store)
    if spec is not None:
        if disagreements := [*_disagreements(store, spec)]:
            faults = [*(fault for fault in faults if fault.remedy is not Remedy.ADOPT), *disagreements]
        faults += _other_checkpoints(store)
        whole = not any(fault.part or fault.file == STUDY for fault in faults)
        for fault in _study_db_faults(store, spec) if whole else ():
            if fault.wrong == BEHIND and not is_complete(store, spec):
                notes.append(f"{STUDY_DB}: older than the cohorts; it is written when the study is finished")
            else:
                faults.append(fault)
    return Examination(tuple(faults), tuple(notes), found.files)


def repair_study(folder: Path) -> tuple[tuple[str, ...], Examination]:
    """Repair what can be; return what was done, a line each, and what is found afterwards.

    Raises StabilityError where the folder is in use, cannot be written, or is no study's.
    """
    check_study(folder)
    done: list[str] = migrate(folder) if older_version(folder) is not None else []
    if _plan_fault(folder) is not None:
        done += _rebuild_plan(folder)
    if _plan_fault(folder) is None:
        done += _repair_files(Store.open(folder))
    return tuple(done), check_study(folder)


# --- the plan ---------------------------------------------------------------------------------------------


def _plan_fault(folder: Path) -> Fault | None:
    version = older_version(folder)
    if version is not None:
        words = f"of format {version}, and {FORMAT_VERSION} is the present one"
        repair = f"keeps it as {PLAN}.v{version} and brings the folder up to format {FORMAT_VERSION}"
        return Fault(PLAN, words, NOTHING, repair, Remedy.MIGRATE)
    try:
        Store.open(folder)
    except StabilityError as error:
        path = folder / PLAN
        version = version_of(path.read_bytes()) if path.is_file() else None
        if version not in (None, FORMAT_VERSION):
            raise
        wrong = plain(error, folder).partition(": ")[2]
    else:
        return None
    try:
        rebuilt_plan(folder)
    except StabilityError as error:
        repair = (
            f"none: it cannot be drawn again ({plain(error, folder)}); what is in {COHORTS} stays as it is"
        )
        return Fault(PLAN, wrong, "which runs were planned", repair, Remedy.NONE)
    return Fault(PLAN, wrong, NOTHING, "draws it again from the study file", Remedy.REBUILD)


def _rebuild_plan(folder: Path) -> list[str]:
    with locked(folder / LOCK):
        try:
            plan = rebuilt_plan(folder)
        except StabilityError:
            return []
        apply_pending(folder)  # else a damaged one among changes that hold would hold on
        done = [move_aside(folder, folder / PLAN)] if (folder / PLAN).exists() else []
        replace_file(folder / PLAN, plan.to_json().encode())
        return [*done, f"drew {PLAN} again from {STUDY}"]


# --- what the store alone cannot see ----------------------------------------------------------------------


def _spec(store: Store) -> StudySpec | None:
    """The stored study, or one put in its place; None where it is damaged, which has been told by then."""
    return _sealed_spec(store) or unsealed_study(store)


def _sealed_spec(store: Store) -> StudySpec | None:
    try:
        return parse_study(store.study_yaml, source=str(store.folder / STUDY))
    except StabilityError:
        return None


def _disagreements(store: Store, spec: StudySpec) -> Iterator[Fault]:
    """Whether the study file asks for the runs that are planned."""
    reason = None
    if spec.training.steps != store.plan.horizon:
        reason = f"training.steps is {spec.training.steps}, {store.plan.horizon} are planned"
    elif spec.design.sampler != "tpe" and not spec.observed:
        asked = {run.run: run for run in plan_runs(spec, draw_points(spec))}
        planned = {run.run: run for run in store.plan.runs}
        names = sorted(asked.keys() | planned.keys())
        unequal = [name for name in names if asked.get(name) != planned.get(name)]
        reason = f"{unequal[0]} is not planned as it says" if unequal else None
    if reason:
        yield Fault(
            STUDY,
            reason,
            NOTHING,
            "none; put the study file of this study in its place, or use the versions that planned it",
            Remedy.NONE,
        )


def _other_checkpoints(store: Store) -> Iterator[Fault]:
    """Checkpoints of other runs than those of their cohort, as a rebuilt plan may leave behind."""
    finished = store.finished()
    for cohort in store.plan.cohorts:
        read = None if cohort.id in finished else store.read_checkpoint(cohort.id)
        if read is None or isinstance(read, DamagedCheckpoint):
            continue
        try:
            runs = {track["history"]["run"] for track in read[1]["tracks"]}
        except (KeyError, TypeError):
            runs = set()
        if runs != set(cohort.runs):
            file = f"{CHECKPOINTS}/{cohort.id}.safetensors"
            repair = "moves it aside; `run` starts the cohort over"
            yield Fault(file, "is of other runs", "how far they were", repair, Remedy.ASIDE)


def _study_db_faults(store: Store, spec: StudySpec) -> Iterator[Fault]:
    if spec.observed:
        return
    if not (store.folder / STUDY_DB).exists():
        if is_complete(store, spec):
            yield Fault(STUDY_DB, "is missing", NOTHING, "writes it from the cohorts", Remedy.REBUILD)
        return
    wrong = study_db_fault(store.folder)
    if wrong == BEHIND:
        yield Fault(STUDY_DB, wrong, NOTHING, "brings it up to the cohorts; notes in it stay", Remedy.REBUILD)
    elif wrong is not None:
        repair = "moves it aside and writes it anew from the cohorts"
        yield Fault(STUDY_DB, wrong, "notes that a dashboard keeps in it", repair, Remedy.REBUILD)


# --- repairing --------------------------------------------------------------------------------------------


def _repair_files(store: Store) -> list[str]:
    before = examine_files(store).faults
    with store.lock():  # which settles and clears up
        left = {fault.file for fault in examine_files(store).faults}
        gone = [fault for fault in before if fault.file not in left]
        done = [f"{fault.file}: {CLEARED[fault.remedy]}" for fault in gone if fault.remedy in CLEARED]
        for place, remedy in _parts(check_study(store.folder)):
            if remedy in REPAIRS:
                done.append(REPAIRS[remedy](store, place))
        if _needs_study_db(store):
            rebuild_study_db(store.folder)
            done.append(f"wrote {STUDY_DB} from the cohorts")
    return done


CLEARED = {Remedy.REMOVE: "removed", Remedy.SETTLE: "moved to their places"}


def _parts(found: Examination) -> list[tuple[str, Remedy]]:
    """What is to be repaired, each once."""
    return list(dict.fromkeys((fault.part or fault.file, fault.remedy) for fault in found.faults))


def _needs_study_db(store: Store) -> bool:
    """Whether it is missing, damaged or behind, and can be written: the study file is whole."""
    spec = _sealed_spec(store)
    if spec is None:
        return False
    return any(True for _ in _study_db_faults(store, spec))


def _move(store: Store, place: str) -> str:
    return move_aside(store.folder, store.folder / place)


def _remove(store: Store, place: str) -> str:
    (store.folder / place).unlink(missing_ok=True)
    return f"{place}: removed"


def _renew_environment(store: Store, place: str) -> str:
    """An environment that says that it was lost; the next run adds what it finds."""
    path = store.folder / place
    moved = f"{move_aside(store.folder, path)}; " if path.exists() else ""
    planned = {
        "device": store.plan.device,
        "threads": store.plan.threads,
        "stop_thresholds": store.plan.stop_thresholds.model_dump(),
    }
    environment = {"lost": "what the study was started with", "planned": planned}
    with suppress(StabilityError):
        environment = of_study(environment, store.study_yaml)
    store.replace_environment(environment)
    return f"{moved}wrote {place} anew without what was lost"


def _adopt_study(store: Store, place: str) -> str:
    spec = unsealed_study(store)
    if spec is None:  # changed since it was looked at
        return f"{place}: left as it is"
    replace_file(store.folder / place, seal_text(dump_study(spec)))
    return f"sealed {place}"


def _seal(store: Store, place: str) -> str:
    if place == PLAN:
        store.replace_plan(store.plan)
        return f"sealed {place}"
    if place == ENVIRONMENT:
        store.replace_environment(store.environment)
        return f"sealed {place}"
    return _seal_cohort(store, place)


def _seal_cohort(store: Store, place: str) -> str:
    folder = store.folder / place
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != DIGESTS]
    digests = {path.relative_to(folder).as_posix(): sha256(path.read_bytes()) for path in files}
    moved = move_aside(store.folder, folder / DIGESTS)
    replace_file(folder / DIGESTS, encode_digests(digests))
    return f"{moved}; wrote {place}/{DIGESTS} anew"


REPAIRS: dict[Remedy, Callable[[Store, str], str]] = {
    Remedy.ASIDE: _move,
    Remedy.REMOVE: _remove,
    Remedy.RENEW: _renew_environment,
    Remedy.SEAL: _seal,
    Remedy.ADOPT: _adopt_study,
}
