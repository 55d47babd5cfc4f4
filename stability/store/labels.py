"""New labels for a whole study at once. Imports only records and the store's parts.

New runs and events tables of every cohort, and the study file with its new thresholds, are prepared in
one folder; renaming it to `labels` is the one moment at which they hold. Then each file moves to its
place. Until it has, readers find it in `labels`, and the next writer finishes what a killed one began.
"""

from __future__ import annotations

from pathlib import Path

from stability.store.files import folder_at_once, sync, told, write_flushed

PENDING = "labels"
STUDY = "study.yaml"


def commit_labels(study: Path, tables: dict[str, dict[str, bytes]], study_yaml: bytes) -> None:
    """Put new tables (by cohort, then by name) and the study file in force, all or nothing.

    Raises `StabilityError`: they cannot be written; the old ones then hold.
    """
    apply_pending(study)
    with folder_at_once(study / PENDING) as folder:
        write_flushed(folder / STUDY, study_yaml)
        for cohort, by_name in tables.items():
            (folder / cohort).mkdir()
            for name, content in by_name.items():
                write_flushed(folder / cohort / f"{name}.parquet", content)
    apply_pending(study)


def apply_pending(study: Path) -> None:
    """Move committed labels to their places; safe to be killed in and to be called again."""
    pending = study / PENDING
    if not pending.is_dir():
        return
    with told(pending):
        for folder in sorted(entry for entry in pending.iterdir() if entry.is_dir()):
            target = study / "cohorts" / folder.name
            for file in sorted(folder.iterdir()):
                file.replace(target / file.name)
            sync(target)
            folder.rmdir()
        if (pending / STUDY).exists():
            (pending / STUDY).replace(study / STUDY)
        pending.rmdir()
        sync(study)


def current(study: Path, relative: Path) -> Path:
    """Where the file in force is: pending, or in its own place (relative to the study's folder)."""
    parts = relative.parts[1:] if relative.parts[0] == "cohorts" else relative.parts
    pending = study.joinpath(PENDING, *parts)
    return pending if pending.is_file() else study / relative
