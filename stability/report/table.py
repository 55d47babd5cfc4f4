"""The table of all runs: what each cell shows and what it sorts by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from stability.analysis.frames import PACGAN_PREFIXES
from stability.report.study import Study
from stability.report.words import number

METRICS = ("fid_ratio", "modes", "precision", "step", "seconds")
SPECIAL = ("class_agreement", "diversity_within")
"""Shown where any run has them, as are PacGAN's metrics."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table."""

    name: str
    is_number: bool


@dataclass(frozen=True, slots=True)
class TableCell:
    """What a cell shows, and the number it sorts by (empty: last)."""

    text: str
    key: str


@dataclass(frozen=True, slots=True)
class RunTable:
    """All finished runs."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[TableCell, ...], ...]
    data: pd.DataFrame


def run_table(study: Study) -> RunTable:
    """One row a run: its place in the design, everything that varied, how it ended."""
    special = [
        name
        for name in map(str, study.runs)
        if (name in SPECIAL or name.startswith(PACGAN_PREFIXES)) and study.runs[name].notna().any()
    ]
    names = ["run", "outcome", "point", "replicate", *study.varied, *METRICS, *special, "reason"]
    data = study.runs[list(dict.fromkeys(names))]
    columns = tuple(Column(str(name), _is_number(data[name])) for name in data)
    cells = [_cells(data[column.name], column) for column in columns]
    return RunTable(columns, tuple(zip(*cells, strict=True)), data)


def _cells(values: pd.Series, column: Column) -> list[TableCell]:
    if not column.is_number:
        return [TableCell(str(value), str(value)) for value in values]
    numbers = values.astype("float64")
    return [
        TableCell(number(_whole(value)), "" if np.isnan(value) else repr(float(value))) for value in numbers
    ]


def _is_number(values: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values))


def _whole(value: Any) -> Any:
    return int(value) if np.isfinite(value) and float(value).is_integer() else float(value)
