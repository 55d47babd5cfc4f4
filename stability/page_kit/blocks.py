"""What a section of the page is made of: questions, each answered in words, a figure, tables and data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pandas as pd
from markupsafe import Markup

from stability.page_kit.tables import Table


@dataclass(frozen=True, slots=True)
class Block:
    """One question and its answer."""

    key: str
    """Unique in the page; names the block's anchor and its CSV file: letters, digits and hyphens."""
    question: str
    """The title: what the figure answers."""
    finding: str = ""
    """The answer in a sentence or two; empty where the figure must speak for itself."""
    figure: Markup | None = None
    """As `svg.inline_svg` gives it; None where nothing can be drawn."""
    note: str = ""
    """Below the figure, in small print: how to read it, what it rests on, its method."""
    tables: tuple[Table, ...] = ()
    data: pd.DataFrame = field(default_factory=pd.DataFrame)
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
    def named_tables(self) -> tuple[tuple[str, Table], ...]:
        """The tables that have rows, each with the name of its files."""
        tables = [table for table in self.tables if table.rows]
        names = [self.key, *(f"{self.key}-{place}" for place in range(2, len(tables) + 1))]
        return tuple((table.key or name, table) for name, table in zip(names, tables, strict=False))

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
