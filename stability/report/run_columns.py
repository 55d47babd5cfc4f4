"""All runs as columns for the page's explorer: what is shown, what is an axis, what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from stability.reading.factors import is_log, level_text, levels
from stability.reading.study import Study
from stability.spec import StudySpec
from stability.vocabulary.metrics import EXTRA_PREFIXES, IN_PANEL, TABLED, TABLED_IF_KNOWN

DIGITS = 6
"""Significant digits of the numbers in the page; the CSV beside it has more."""
FEW_LEVELS = 50
"""A column with at most this many texts lists them once."""

Kind = Literal["number", "text"]
Group = Literal["key", "setting", "metric", "reason"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the explorer."""

    name: str
    kind: Kind
    group: Group
    values: tuple[float | str | None, ...]
    """Text, or a number rounded to six digits; None where there is none, "inf" or "-inf" where it is not
    finite."""
    shown: bool = True
    """Whether the table has it; otherwise it stands only in a run's own panel."""
    axis: bool = False
    """Whether the parallel coordinates have it."""
    log: bool = False
    """Whether its axis is logarithmic."""
    levels: tuple[str, ...] = ()
    """The texts in the page's order; empty where there are too many to list."""

    def as_json(self) -> dict[str, Any]:
        """The column for the page's script; texts that are listed appear as their places."""
        places = {level: place for place, level in enumerate(self.levels)}
        values = [places[str(value)] for value in self.values] if places else list(self.values)
        return {
            "name": self.name,
            "kind": self.kind,
            "group": self.group,
            "shown": self.shown,
            "axis": self.axis,
            "log": self.log,
            "levels": list(self.levels),
            "values": values,
        }


def run_columns(study: Study) -> tuple[Column, ...]:
    """One value a run in each: its place in the design, everything that was set, how it ended."""
    runs, names = study.trained, [str(name) for name in study.trained]
    known = [name for name in names if runs[name].notna().any()]
    extra = [name for name in known if name in TABLED_IF_KNOWN or name.startswith(EXTRA_PREFIXES)]
    kept = dict.fromkeys((*study.frames.spec.named, "lr_d", "lr_g", "seed"))
    fixed = [name for name in kept if name in known and name not in study.varied]
    columns = [
        _column(runs, "run", "key"),
        _column(runs, "outcome", "key", axis=True, order=study.outcomes),
        _column(runs, "point", "key"),
        _column(runs, "replicate", "key"),
        *(_setting(study.frames.spec, runs, name) for name in study.varied),
        *(
            _column(runs, name, "metric", axis=name == "fid_excess", log=name != "fid_excess")
            for name in TABLED
        ),
        *(_column(runs, name, "metric") for name in extra),
        _column(runs, "reason", "reason"),
        *(_column(runs, name, "setting", shown=False) for name in fixed),
        *(_column(runs, name, "metric", shown=False) for name in IN_PANEL if name in known),
    ]
    return tuple(columns)


def shown_frame(study: Study, columns: tuple[Column, ...]) -> pd.DataFrame:
    """What the table shows, as a frame for the CSV."""
    return study.trained[[one.name for one in columns if one.shown]]


def _setting(spec: StudySpec, runs: pd.DataFrame, name: str) -> Column:
    return _column(runs, name, "setting", axis=True, log=is_log(spec, name), order=levels(spec, name))


def _column(
    runs: pd.DataFrame,
    name: str,
    group: Group,
    *,
    shown: bool = True,
    axis: bool = False,
    log: bool = False,
    order: tuple[str, ...] = (),
) -> Column:
    values = runs[name]
    if _is_number(values) and name != "seed":  # a seed has more digits than a script's numbers
        return Column(name, "number", group, tuple(_numbers(values)), shown, axis, log)
    texts = tuple(level_text(value) for value in values)
    seen = set(texts)
    listed = (*(level for level in order if level in seen), *sorted(seen - set(order)))
    few = listed if len(listed) <= FEW_LEVELS or axis else ()
    return Column(name, "text", group, texts, shown, axis, log, few)


def _numbers(values: pd.Series) -> list[float | str | None]:
    return [rounded(value, DIGITS) for value in values.astype("float64").to_list()]


def rounded(value: float, digits: int) -> float | str | None:
    """A number with so many significant digits, as JSON can hold it: missing is None, infinite is text."""
    if np.isnan(value):
        return None
    if np.isinf(value):
        return "inf" if value > 0 else "-inf"
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def _is_number(values: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values))
