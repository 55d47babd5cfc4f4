"""What a section of the page is made of: questions, each answered in words, a figure, tables and data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from markupsafe import Markup

from stability.report.words import NOTHING, interval, listed, share


@dataclass(frozen=True, slots=True)
class Cell:
    """An estimate with its interval, or a plain text."""

    text: str
    detail: str = ""
    """In smaller print below it: an interval, as a rule."""
    title: str = ""
    """Why there is no number, shown on hover."""


def rate_cell(row: Mapping[Any, Any]) -> Cell:
    """A rate, as a row of `rate`'s columns: the share over its interval, or why there is none."""
    if pd.isna(row["estimate"]):
        return Cell(NOTHING, "", str(row["reason"]))
    return Cell(share(row["estimate"]), interval(row["ci_low"], row["ci_high"]), str(row["reason"]))


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
    missing: tuple[str, ...] = ()
    """What of it is not estimable, each with what it would take."""

    def pruned(self) -> Table:
        """The table without the rows and columns that hold no estimate; those are told in `missing`."""
        rows = [row for row in self.rows if not _is_blank(row)]
        columns = [
            place
            for place in range(len(self.heads))
            if not rows or place == 0 or any(row[place].text != NOTHING for row in rows)
        ]
        gone = {row[0].text: _reason(row) for row in self.rows if _is_blank(row)} if rows else {}
        gone |= {
            head.text: _reason([row[place] for row in rows])
            for place, head in enumerate(self.heads)
            if place not in columns
        }
        missing = _by_reason(gone)
        if self.rows and not rows:
            reasons = dict.fromkeys(_reason(row) for row in self.rows)
            missing = (
                ": ".join(part for part in (_bare(self.caption), listed([*filter(None, reasons)])) if part),
            )
        return replace(
            self,
            heads=tuple(self.heads[place] for place in columns),
            rows=tuple(tuple(row[place] for place in columns) for row in rows),
            missing=missing,
        )


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


@dataclass(frozen=True, slots=True)
class Block:
    """One question and its answer."""

    key: str
    """Unique in the page; names the block's anchor and its CSV file: letters, digits and hyphens."""
    question: str
    """The title: what the figure answers."""
    finding: str
    """The answer in a sentence or two; empty where the figure must speak for itself."""
    figure: Markup | None
    """As `svg.inline_svg` gives it; None where nothing can be drawn."""
    note: str
    """Below the figure, in small print: how to read it, what it rests on, its method."""
    tables: tuple[Table, ...]
    data: pd.DataFrame
    """What the figure shows, tidy, for the CSV."""
    snippet: str = ""
    """Text to copy, such as a piece of a study file."""
    folded: bool = False
    """Whether only its question is shown until a reader opens it."""

    @property
    def is_answered(self) -> bool:
        """Whether anything is shown beside words."""
        return self.figure is not None or bool(self.tables) or bool(self.snippet)

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not estimable in its tables, each with what it would take."""
        return tuple(line for table in self.tables for line in table.missing)

    def pruned(self) -> Block:
        """The same block, its tables without what is not estimable; it goes altogether where that is all."""
        tables = tuple(table.pruned() for table in self.tables)
        missing = [line for table in tables for line in table.missing]
        has_estimates = any(cell.detail for table in tables for row in table.rows for cell in row)
        if missing and not has_estimates and self.figure is None and not self.snippet:
            return replace(self, finding=self.finding or " ".join(f"{line}." for line in missing), tables=())
        return replace(self, tables=tables)

    def fold(self) -> Block:
        """The same block, folded away under its question."""
        return replace(self, folded=True)

    def with_tables_folded(self, words: str = "The same as a table") -> Block:
        """The same block, its tables folded away where a figure shows what they say."""
        if self.figure is None:
            return self
        return replace(
            self, tables=tuple(replace(table, folded=table.folded or words) for table in self.tables)
        )


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page with its place in the navigation."""

    key: str
    title: str
    blocks: tuple[Block, ...]

    def answered(self) -> Section:
        """The same section without the questions of which there is nothing to show."""
        return replace(self, blocks=tuple(block for block in self.blocks if block.is_answered))
