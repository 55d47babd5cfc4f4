"""What `stability agree` tells: judges' marks beside the runs' labels, and beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from stability.errors import StabilityError
from stability.page_kit.words import interval, number, share
from stability.questions.agreement.estimate import NEIGHBOURS, SAID, Agreement, agreement, differing
from stability.questions.agreement.marks import labels_now, read_codes, read_key, read_marks
from stability.reading.frames import load
from stability.report.export import as_rows

USAGE = "agree takes results folders, then one or two files of marks"


@dataclass(frozen=True)
class Side:
    """Who gave labels, and what was said: by code, `label` and whatever else is known of it."""

    name: str
    said: pd.DataFrame


@dataclass(frozen=True)
class Comparison:
    """Two sets of labels of the same runs."""

    first: str
    second: str
    found: Agreement
    differ: pd.DataFrame
    """By code, with the columns of `differing`."""


def compare(
    paths: Sequence[Path], key: Path | None, *, split: Path | None, neighbours: bool
) -> list[Comparison]:
    """Each file of marks against the labels, then two files against each other.

    `paths` are results folders, then one or two files of marks; the key is beside the first of these unless
    `key` names another; `split` lists the codes that count.
    Raises StabilityError: a file or folder is missing or holds nothing of the kind, or two sets of labels
    have no run in common.
    """
    folders, files = _sorted_out(paths)
    place = key or files[0].with_name("key.csv")
    if key is None and not place.is_file():
        raise StabilityError(f"{place}: no such file; give the sheet's key by --key")
    codes = read_key(place)
    labels = labels_now(codes, [load(folder) for folder in folders])
    if split is not None:
        labels = labels[labels.index.isin(read_codes(split, set(codes.index)))]
    marks = [read_marks(file, set(codes.index)) for file in files]
    judges = [
        Side(str(file), said[said.index.isin(labels.index)]) for file, said in zip(files, marks, strict=True)
    ]
    sides = [(judge, Side("labels", labels)) for judge in judges] + list(combinations(judges, 2))
    return [_compared(*pair, labels, neighbours=neighbours) for pair in sides]


def as_text(found: Sequence[Comparison]) -> str:
    """Every comparison: the shares, label by label, the table of both, the runs that differ."""
    return "\n\n".join("\n\n".join(_told(one)) for one in found)


def summary(found: Sequence[Comparison]) -> list[dict[str, Any]]:
    """The same for machines; a kappa that there is not is null."""
    return [
        {
            "first": one.first,
            "second": one.second,
            **{
                field.name: _plain(getattr(one.found, field.name))
                for field in fields(Agreement)
                if field.name not in ("table", "by_label")
            },
            "table": {str(label): row.to_dict() for label, row in one.found.table.iterrows()},
            "by_label": as_rows(one.found.by_label),
            "differ": as_rows(one.differ.reset_index()),
        }
        for one in found
    ]


def _sorted_out(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The results folders and the files of marks."""
    folders = [path for path in paths if path.is_dir()]
    files = [path for path in paths if not path.is_dir()]
    for file in files:
        if not file.exists():
            raise StabilityError(f"{file}: no such file or folder; {USAGE}")
    if not folders or not 1 <= len(files) <= 2 or len(set(files)) < len(files):
        raise StabilityError(f"{USAGE}, not {len(folders)} folders and {len(set(files))} files")
    return folders, files


def _compared(first: Side, second: Side, runs: pd.DataFrame, *, neighbours: bool) -> Comparison:
    if first.said.index.intersection(second.said.index).empty:
        raise StabilityError(f"{first.name}: no run in common with {second.name}")
    pairs = NEIGHBOURS if neighbours else ()
    found = agreement(first.said["label"], second.said["label"], neighbours=pairs)
    return Comparison(first.name, second.name, found, differing(runs, first.said, second.said))


def _told(one: Comparison) -> list[str]:
    heads = {"n_first": "first", "n_second": "second", "n_both": "both"}
    by_label = one.found.by_label.assign(agreement=one.found.by_label["agreement"].map(share))
    paragraphs = [
        _headline(one),
        by_label.rename(columns=heads).to_string(index=False),
        f"{one.first} (rows), {one.second} (columns)\n{_table(one.found.table)}",
    ]
    differences = [_difference(str(code), row) for code, row in one.differ.iterrows()]
    return [*paragraphs, "\n".join(differences)] if differences else paragraphs


def _headline(one: Comparison) -> str:
    found = one.found
    half = f", {found.n_neighbours} more are neighbours, for a half" if found.n_neighbours else ""
    agree = f"{share(found.estimate)} {interval(found.ci_low, found.ci_high)}"
    kappa = f"kappa {number(found.kappa)} [{number(found.kappa_low)}, {number(found.kappa_high)}]"
    return (
        f"{one.first} against {one.second}: {found.n_agree} of {found.n_runs} agree{half}\n"
        f"agreement {agree}, {found.reason or kappa}"
        f"{_second_thoughts(one.differ)}"
    )


def _second_thoughts(differ: pd.DataFrame) -> str:
    n = int(differ["second_fits"].sum())
    return f"\nwhere they differ, {n} of {len(differ)} times a second label is the other's" if n else ""


def _table(table: pd.DataFrame) -> str:
    """Counts, a dot where there is none."""
    cells = table.astype("str").where(table > 0, ".")
    return cells.rename_axis(None).rename_axis(None, axis=1).to_string()


def _difference(code: str, row: pd.Series) -> str:
    """A run with both labels, and what either said besides."""
    sides = " | ".join(_side(row, whose) for whose in ("_first", "_second"))
    return f"{code}  {sides} | {row['results']} {row['run']}"


def _side(row: pd.Series, whose: str) -> str:
    said = {name: row[f"{name}{whose}"] for name in SAID if row.get(f"{name}{whose}")}
    second = f" (or {said.pop('second')})" if "second" in said else ""
    return ": ".join(
        [f"{row[f'label{whose}']}{second}", *([", ".join(map(_on_one_line, said.values()))] if said else [])]
    )


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
