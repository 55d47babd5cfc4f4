"""What a section of the page is made of: questions, each answered in words, a figure, tables and data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from markupsafe import Markup

from stability.report.words import NOTHING, interval, share


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
