"""A whole results folder examined and repaired: its files, its study.db, and whether plan and study agree.

A repair deletes only what was never finished: damaged parts are moved aside, and `run` trains them again.
It examines the folder once, mends by what was found, and examines it again to tell what is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stability.design import draw_points, plan_runs
from stability.design.rebuild_plan import rebuilt_plan
from stability.design.study_db import BEHIND, STUDY_DB, rebuild_study_db, study_db_fault
from stability.errors import StabilityError
from stability.spec import StudySpec
from stability.spec.loader import parse_study
from stability.store import FORMAT_VERSION, DamagedCheckpoint, Store
from stability.store.error_hint import plain
from stability.store.files import replace_file
from stability.store.folder import CHECKPOINTS, ENVIRONMENT, LOCK, PLAN, STUDY
from stability.store.lock import locked
from stability.store.plan import version_of
from stability.store.progress import is_complete
from stability.store.repair.examine import NOTHING, Examination, Fault, Remedy, examine_files, loose_ends
from stability.store.repair.mend import cleared, mend
from stability.store.repair.migrate import migrate, older_version
from stability.store.repair.quarantine import move_aside
from stability.store.repair.unsealed import unsealed_study
from stability.store.transaction import COHORTS, apply_pending


def check_study(folder: Path) -> Examination:
    """Examine every file of a results folder; nothing is written, and a running study is not disturbed.

    Raises StabilityError where there is no results folder, or one of a newer format.
    """
    _check_is_study(folder)
    fault = _plan_fault(folder)
    if fault is not None:
        return Examination((fault,), ("the other files are examined once there is a plan",), files=1)
    return _examined(Store.open(folder))


def repair_study(folder: Path) -> tuple[tuple[str, ...], Examination]:
    """Repair what can be; return what was done, a line each, and what is found afterwards.

    Raises StabilityError where the folder is in use, cannot be written, or is no study's.
    """
    _check_is_study(folder)
    done = migrate(folder) if older_version(folder) is not None else []
    if _plan_fault(folder) is not None:
        done += _rebuild_plan(folder)
    if _plan_fault(folder) is None:
        done += _repair_files(Store.open(folder))
    return tuple(done), check_study(folder)


def _check_is_study(folder: Path) -> None:
    if not folder.is_dir():
        raise StabilityError(f"{folder}: no such results folder")
    if not any((folder / name).exists() for name in (PLAN, COHORTS, ENVIRONMENT)):
        raise StabilityError(f"{folder}: not a study's results, it has no {PLAN}")


def _examined(store: Store) -> Examination:
    """What is found in a folder whose plan can be read, also by what the study file asks for."""
    examination = examine_files(store)
    spec = _spec(store)
    if spec is None:
        return examination
    faults, notes = list(examination.faults), list(examination.notes)
    if disagreements := [*_disagreements(store, spec)]:
        faults = [*(fault for fault in faults if fault.remedy is not Remedy.ADOPT), *disagreements]
    faults += _other_checkpoints(store)
    if not any(fault.part or fault.file == STUDY for fault in faults):
        of_study_db = list(_study_db_faults(store, spec))
        if any(fault.wrong == BEHIND for fault in of_study_db) and not is_complete(store, spec):
            notes.append(f"{STUDY_DB}: older than the cohorts; it is written when the study is finished")
        else:
            faults += of_study_db
    return Examination(tuple(faults), tuple(notes), examination.files)


def _repair_files(store: Store) -> list[str]:
    loose = loose_ends(store)
    with store.lock():  # which settles and clears up
        faults = _examined(store).faults
        done = [*cleared(loose, faults), *mend(store, faults)]
        spec = _sealed_spec(store)
        if spec is not None and any(_study_db_faults(store, spec)):
            rebuild_study_db(store.folder)
            done.append(f"wrote {STUDY_DB} from the cohorts")
    return done


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
