"""What judges said of runs, and which runs these were: the files of a blinded sheet, from disk to frame.

A fault in them is told in one line with file and line.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pandas as pd

from stability.errors import StabilityError
from stability.reading.frames import StudyFrames
from stability.records import Outcome
from stability.spec.problems import one_line

MARK_FIELDS = ("code", "label", "second", "quality", "comment")
"""Columns of a file of marks: the run's code, its label, another label that would do, what the last pictures
look like, anything else."""
KEY_FIELDS = ("code", "results", "run")
"""Columns of a key: which run a code stands for. Judges do not read it."""
LABELS: tuple[str, ...] = tuple(str(outcome) for outcome in Outcome)
QUALITIES = ("no", "partly", "mostly", "yes")
"""Whether the last pictures look like the data."""
LONGEST = 60
"""Characters of what a file says that an error repeats."""


def read_marks(path: Path, codes: Collection[str]) -> pd.DataFrame:
    """The runs that a judge has marked, as MARK_FIELDS indexed by code; rows without a label are left out.

    Raises StabilityError: the file is missing or no such table, or a row has an unknown code, label or
    quality, or a code that an earlier row has.
    """
    rows = dict(_rows(path, MARK_FIELDS))
    _check_codes(path, {line: row["code"] for line, row in rows.items()}, codes)
    for line, row in rows.items():
        _check_word(path, line, "label", row["label"], LABELS)
        _check_word(path, line, "second", row["second"], LABELS)
        _check_word(path, line, "quality", row["quality"], QUALITIES)
    marked = [row for row in rows.values() if row["label"]]
    return pd.DataFrame(marked, columns=list(MARK_FIELDS), dtype="str").set_index("code")


def read_key(path: Path) -> pd.DataFrame:
    """Which run each code stands for: `results` and `run`, indexed by code.

    Raises StabilityError: the file is missing or no such table, or a code is there twice.
    """
    rows = dict(_rows(path, KEY_FIELDS))
    _check_codes(path, {line: row["code"] for line, row in rows.items()}, None)
    return pd.DataFrame(rows.values(), columns=list(KEY_FIELDS), dtype="str").set_index("code")


def labels_now(key: pd.DataFrame, studies: Sequence[StudyFrames]) -> pd.DataFrame:
    """The key's runs with the `label` and `reason` that they have now.

    Codes of results folders that are not among the studies are left out. A folder is known by its path, or
    after a move by its name. Raises StabilityError: a run is not in its folder.
    """
    runs = {study.folder: study.runs.set_index("run")[["outcome", "reason"]] for study in studies}
    found = {}
    for code, row in key.iterrows():
        folder = _folder_of(str(row["results"]), list(runs))
        if folder is None:
            continue
        if row["run"] not in runs[folder].index:
            raise StabilityError(
                f"{folder}: no finished run {_short(row['run'])}, which is {code} of the key"
            )
        label, reason = runs[folder].loc[row["run"]]
        found[code] = {"results": str(folder), "run": row["run"], "label": str(label), "reason": str(reason)}
    frame = pd.DataFrame.from_dict(found, orient="index", columns=["results", "run", "label", "reason"])
    return frame.rename_axis("code")


def read_codes(path: Path, codes: Collection[str]) -> list[str]:
    """The codes that a file lists, one a line; empty lines and what follows a # are passed over.

    Raises StabilityError: the file is missing, or a code is unknown or there twice.
    """
    lines = enumerate(_text(path).splitlines(), start=1)
    listed = {line: code for line, text in lines if (code := text.partition("#")[0].strip())}
    _check_codes(path, listed, codes)
    return list(listed.values())


def _rows(path: Path, fields: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Every row by the line that it ends on, stripped; further columns are passed over."""
    reader = csv.DictReader(_text(path).splitlines(keepends=True), strict=True)
    try:
        missing = [name for name in fields if name not in (reader.fieldnames or ())]
        if missing:
            raise StabilityError(f"{path}:1: no column {missing[0]}; needed are {', '.join(fields)}")
        for row in reader:
            if None in row or None in row.values():
                count = len(reader.fieldnames or ())
                raise StabilityError(f'{path}:{reader.line_num}: not {count} fields; quote commas: "a, b"')
            yield reader.line_num, {name: row[name].strip() for name in fields}
    except csv.Error as error:
        raise StabilityError(f"{path}:{reader.line_num}: not CSV: {error}") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise StabilityError(f"{path}: is no text in UTF-8") from None
    except OSError as error:
        raise StabilityError(f"{path}: {error.strerror}") from None


def _check_codes(path: Path, by_line: dict[int, str], codes: Collection[str] | None) -> None:
    first: dict[str, int] = {}
    for line, code in by_line.items():
        if codes is not None and code not in codes:
            raise StabilityError(f"{path}:{line}: code: {_short(code)} is not in the key")
        if code in first:
            raise StabilityError(f"{path}:{line}: code: {_short(code)} is on line {first[code]} already")
        first[code] = line


def _check_word(path: Path, line: int, field: str, word: str, allowed: Sequence[str]) -> None:
    if word and word not in allowed:
        raise StabilityError(f"{path}:{line}: {field}: {_short(word)} is none of {', '.join(allowed)}")


def _folder_of(results: str, folders: Sequence[Path]) -> Path | None:
    same = [folder for folder in folders if folder.resolve() == Path(results).resolve()]
    named = [folder for folder in folders if folder.resolve().name == Path(results).name]
    alike = same or named
    return alike[0] if len(alike) == 1 else None


def _short(text: str) -> str:
    return f'"{one_line(text, LONGEST)}"'
