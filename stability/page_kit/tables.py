"""Tables of the page, each declared by its columns: what stands above one, and what it says of a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pandas as pd

from stability.page_kit.estimate import Cell, Estimate, Form, Row, cell_of, rows_of
from stability.page_kit.words import NOTHING, listed, share
from stability.reading.study import ALL
from stability.records import Outcome
from stability.statistics.rates import DISCRIMINATOR_WINS, MODE_COLLAPSE, SUCCESS


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column."""

    text: str
    glyph: str = ""
    """The outcome whose symbol stands before the text."""
    is_number: bool = True
    """Numbers stand to the right."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; the first cell of a row names it."""

    caption: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]
    folded: str = ""
    """Where given, the table is folded away under these words."""
    key: str = ""
    """Names its files, where they are not to be named after its block."""
    missing: tuple[str, ...] = ()
    """What of it is not estimable, each with what it would take."""

    def pruned(self) -> Table:
        """The table without the rows and columns that hold no estimate; those are told in `missing`."""
        rows = [row for row in self.rows if not _is_blank(row)]
        if self.rows and not rows:
            reasons = listed([*filter(None, dict.fromkeys(map(_reason, self.rows)))])
            told = ": ".join(filter(None, (_bare(self.caption), reasons)))
            return replace(self, rows=(), missing=(told,))
        kept = replace(self, rows=tuple(rows))
        empty = [place for place in range(1, len(self.heads)) if rows and kept._is_empty(place)]
        gone = {row[0].text: _reason(row) for row in self.rows if _is_blank(row)}
        gone |= {self.heads[place].text: _reason(kept.column(place)) for place in empty}
        held = [place for place in range(len(self.heads)) if place not in empty]
        return replace(kept, missing=_by_reason(gone)).only(held)

    def _is_empty(self, place: int) -> bool:
        return all(cell.text == NOTHING for cell in self.column(place))

    def column(self, place: int) -> list[Cell]:
        """A column's cells, top down."""
        return [row[place] for row in self.rows]

    def only(self, places: Sequence[int]) -> Table:
        """The table with these of its columns."""
        rows = tuple(tuple(row[place] for place in places) for row in self.rows)
        return replace(self, heads=tuple(self.heads[place] for place in places), rows=rows)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its head, and its cell in a row, which is whatever the table's rows are."""

    head: str
    cell: Callable[[Any], Cell | str]
    glyph: str = ""
    is_number: bool = True


def table(
    caption: str, rows: Iterable[Any], columns: Sequence[Column], folded: str = "", key: str = ""
) -> Table:
    """A table with a line for each of the rows: a frame's rows, or levels that columns look up."""
    heads = tuple(Head(column.head, column.glyph, column.is_number) for column in columns)
    cells = (tuple(_as_cell(column.cell(row)) for column in columns) for row in rows)
    return Table(caption, heads, tuple(cells), folded, key)


def columns(
    heads: Mapping[Any, str],
    cell: Callable[[Any, Any], Cell | str],
    *,
    glyphs: Container[str] = (),
    is_number: bool = True,
) -> tuple[Column, ...]:
    """A column for each key of `heads`, which hold what stands above it; `cell` takes the key and a row."""
    return tuple(
        Column(head, partial(cell, key), key if key in glyphs else "", is_number)
        for key, head in heads.items()
    )


def texts(**heads: str) -> tuple[Column, ...]:
    """Columns of plain words, each by its name in the frame, with its head."""
    return columns(heads, lambda name, row: str(row[name]), is_number=False)


def counts(**heads: str) -> tuple[Column, ...]:
    """Columns of whole numbers, each by its name in the frame, with its head."""
    return columns(heads, lambda name, row: f"{row[name]:,}")


SIZES = counts(n_points="n_points", n_runs="n_runs")
"""What stands behind an estimate."""


def estimated(head: str, form: Form = share) -> Column:
    """A column of the rows' own estimates."""
    return Column(head, lambda row: cell_of(row, form))


def plain(head: str, name: str, why: str = "reason", form: Form = share) -> Column:
    """A column of numbers without an interval; `why` names the column that says why one is missing."""
    return Column(
        head, lambda row: Cell(form(float(row[name])), "", str(row[why]) if pd.isna(row[name]) else "")
    )


def levels_of(factor: str) -> Column:
    """The first column of a table whose rows are a factor's levels."""
    return Column("" if factor == ALL else factor, str, is_number=False)


Found = Mapping[Any, Row]
"""Rows by two keys: what stands down and what stands across a table."""


def by_two(frame: pd.DataFrame, down: str, across: str) -> dict[tuple[Any, Any], Row]:
    """A frame's rows by the two columns that tell them apart."""
    return {(row[down], row[across]): row for row in rows_of(frame)}


def across(
    found: Found, heads: Mapping[Any, str], form: Form = share, *, glyphs: Container[str] = (), none: str = ""
) -> tuple[Column, ...]:
    """A column for each key of `heads`; rows are the keys down. `none` says why a row may be lacking."""
    return columns(heads, lambda key, down: cell_of(found.get((down, key)), form, none), glyphs=glyphs)


ENDS = {
    SUCCESS: "succeeds",
    MODE_COLLAPSE: "mode collapse",
    DISCRIMINATOR_WINS: "discriminator wins",
    Outcome.DIVERGED: "diverges",
    Outcome.OSCILLATING: "oscillates",
    Outcome.NOISE: "noise",
    Outcome.LEARNING: "still learning",
}
"""What the shortest table of how runs end tells, with its heads: every run stands in one column."""


def ends(found: Found) -> tuple[Column, ...]:
    """A column for each of ENDS, as percentages; rows are the keys down."""
    return columns(ENDS, lambda event, down: Estimate.of(found[down, event]).percent_cell())


def sizes(found: Found, key: Any, **heads: str) -> tuple[Column, ...]:
    """Whole numbers that all estimates of a row share, read from the one under `key`."""
    named = heads or {"n_points": "n_points", "n_runs": "n_runs"}
    return columns(named, lambda name, down: f"{found[down, key][name]:,}")


def _as_cell(content: Cell | str) -> Cell:
    return content if isinstance(content, Cell) else Cell(content)


def _is_blank(row: Sequence[Cell]) -> bool:
    """Whether a row has counts at best: something of it is missing, and nothing else is told."""
    values = [cell for cell in row[1:] if cell.text != NOTHING]
    return len(values) < len(row) - 1 and not any(cell.detail or not _is_count(cell.text) for cell in values)


def _is_count(text: str) -> bool:
    return re.fullmatch(r"[\d,]+( / [\d,]+)?", text) is not None


def _reason(cells: Sequence[Cell]) -> str:
    """Why the first missing one of some cells is missing."""
    titles = [cell.title.removeprefix("not estimable: ") for cell in cells if cell.text == NOTHING]
    return next(filter(None, titles), "")


def _by_reason(gone: Mapping[str, str]) -> tuple[str, ...]:
    """A line for every reason, with all that is missing for it."""
    names: dict[str, list[str]] = {}
    for name, reason in gone.items():
        names.setdefault(reason, []).append(name)
    return tuple(": ".join(filter(None, (listed(found), reason))) for reason, found in names.items())


def _bare(caption: str) -> str:
    """A caption without its words on intervals."""
    return re.sub(r" \[[^]]*\]", "", caption)
