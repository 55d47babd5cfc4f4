"""Results folders of older format versions, brought up to the present one. Imports the store's parts.

Format 1 had fewer parameters and metrics, which are filled as its tables are read, and other labels.
Everything else stays to the last bit.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from stability.errors import StabilityError
from stability.spec.loader import dump_study, parse_study
from stability.store.ages import without_retired
from stability.store.files import os_errors_as_stability, replace_file, sweep
from stability.store.folder import CHECKPOINTS, ENVIRONMENT, LOCK, PLAN, STUDY, with_study_digest
from stability.store.lock import locked
from stability.store.older_labels import labelled_anew
from stability.store.plan import FORMAT_VERSION, OLDER_VERSIONS, Plan, version_of
from stability.store.repair.quarantine import move_aside
from stability.store.seals import DIGESTS, encode_digests, is_whole, json_lines, seal_text, sha256
from stability.store.tables import (
    SCHEMAS,
    encode_table,
    events_table,
    read_table,
    relabelled_rows,
    runs_table,
)
from stability.store.transaction import COHORTS, apply_pending, commit_changes, read_current


def older_version(folder: Path) -> int | None:
    """The format version of a results folder that can be migrated; None for any other folder."""
    with os_errors_as_stability(folder / PLAN):
        try:
            version = version_of(read_current(folder, Path(PLAN)))
        except (FileNotFoundError, NotADirectoryError):
            return None
    return version if version in OLDER_VERSIONS else None


def migrate(folder: Path) -> list[str]:
    """Bring a folder of format 1 up to the present format; return what was done, a line each.

    The old plan is kept beside the new one as plan.json.v1. Plan and tables change in one moment; whoever is
    killed before it may begin again. Checkpoints hold the state of an older engine, so they are moved aside;
    so are cohorts that cannot be read.

    Raises `StabilityError`: the folder is in use, cannot be written, or its plan or study file is damaged.
    """
    with locked(folder / LOCK):
        with os_errors_as_stability(folder):
            for place in (folder, folder / COHORTS, folder / CHECKPOINTS):
                place.mkdir(exist_ok=True)
                sweep(place)
        apply_pending(folder)
        version = older_version(folder)
        if version is None:
            return []
        return _migrate(folder, version)


def _migrate(folder: Path, version: int) -> list[str]:
    with os_errors_as_stability(folder / PLAN):
        old = (folder / PLAN).read_bytes()
    plan = _plan(folder, old)
    replace_file(folder / f"{PLAN}.v{version}", old)
    done = [f"kept the old plan as {PLAN}.v{version}"]
    for checkpoint in sorted((folder / CHECKPOINTS).iterdir()):
        done.append(f"{move_aside(folder, checkpoint)}: the state of an older engine")
    files: dict[Path, bytes] = {}
    for cohort in plan.cohorts:
        path = folder / COHORTS / cohort.id
        if not path.is_dir():
            continue
        try:
            files |= _cohort_files(path, plan)
        except (StabilityError, FileNotFoundError) as error:
            done.append(f"{move_aside(folder, path)}: {error}")
    environment = _environment(folder) | {"migrated_from": version}
    with suppress(StabilityError, OSError, UnicodeDecodeError):  # it has been lost
        text = (folder / STUDY).read_text(encoding="utf-8")
        environment = with_study_digest(environment, dump_study(parse_study(without_retired(text))))
    top = {Path(PLAN): plan.to_json().encode(), Path(ENVIRONMENT): json_lines(environment)}
    commit_changes(folder, {**files, **top, **_sealed_study(folder)})
    return [*done, f"migrated from format {version} to {FORMAT_VERSION}"]


def _plan(folder: Path, old: bytes) -> Plan:
    """The plan in the present format; the first plans left the rules of stopping to the study file."""
    fields: dict[str, Any] = json.loads(old) | {"version": FORMAT_VERSION}
    if "stop_thresholds" not in fields:
        with os_errors_as_stability(folder / STUDY):
            text = (folder / STUDY).read_text(encoding="utf-8")
        fields["stop_thresholds"] = parse_study(
            without_retired(text), source=str(folder / STUDY)
        ).outcomes.model_dump()
    return Plan.from_json(json.dumps(fields), source=str(folder / PLAN))


def _sealed_study(folder: Path) -> dict[Path, bytes]:
    """The study file with a seal, which format 1 did not need; nothing where there is no such text."""
    try:
        text = (folder / STUDY).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return {}
    return {Path(STUDY): seal_text(text)} if is_whole(text.encode()) is None else {}


def _environment(folder: Path) -> dict[str, Any]:
    try:
        environment: dict[str, Any] = json.loads((folder / ENVIRONMENT).read_bytes())
        return dict(environment)
    except (OSError, ValueError, TypeError, RecursionError):
        return {}


def _cohort_files(path: Path, plan: Plan) -> dict[Path, bytes]:
    """The cohort's tables that change, labels by today's rules, and the digests of all its files."""
    runs, records, evaluations = (
        read_table(path / f"{name}.parquet", SCHEMAS[name]) for name in ("runs", "records", "evaluations")
    )
    results = labelled_anew(runs, records, evaluations, plan.stop_thresholds, horizon=plan.horizon)
    planned = {run.run: run for run in plan.runs}
    if strangers := set(results) - set(planned):
        raise StabilityError(f"{path}: {sorted(strangers)[0]!r} is not planned")
    changed = {
        "runs.parquet": encode_table(runs_table(relabelled_rows(runs, planned, results))),
        "evaluations.parquet": encode_table(evaluations),
        "events.parquet": encode_table(events_table(list(results.values()))),
    }
    kept = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
    digests = {name: sha256(file.read_bytes()) for name, file in kept.items() if name not in changed}
    digests |= {name: sha256(content) for name, content in changed.items()}
    digests.pop(DIGESTS, None)
    changed[DIGESTS] = encode_digests(digests)
    return {Path(COHORTS, path.name, name): content for name, content in changed.items()}
