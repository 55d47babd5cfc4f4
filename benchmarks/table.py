"""Medians of rounds, their ratios, targets, and Markdown; nothing is measured here."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Sample:
    """One quantity, measured once a round."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The round in the middle."""
        return statistics.median(self.values)

    def over(self, other: Sample) -> Sample:
        """The quotients, round by round: what disturbs a round mostly disturbs both sides."""
        return Sample(tuple(a / b for a, b in zip(self.values, other.values, strict=True)))

    def each(self, change: Callable[[float], float]) -> Sample:
        """Every round's value changed alike."""
        return Sample(tuple(change(value) for value in self.values))

    def milliseconds(self, digits: int = 2) -> str:
        """The text of seconds as milliseconds."""
        return self.each(lambda seconds: 1000 * seconds).text(digits)

    def text(self, digits: int = 2) -> str:
        """The median and, of several rounds, the lowest and the highest."""
        median = f"{self.median:,.{digits}f}"
        if len(self.values) == 1:
            return median
        return f"{median} ({min(self.values):,.{digits}f}..{max(self.values):,.{digits}f})"


@dataclass(frozen=True, slots=True)
class Target:
    """What a median should reach, or stay within."""

    bound: float
    side: Literal["least", "most"] = "least"

    def is_met(self, value: float) -> bool:
        """Whether a value is on the right side."""
        return value >= self.bound if self.side == "least" else value <= self.bound

    def text(self) -> str:
        """As in `>= 5`."""
        return f"{'>=' if self.side == 'least' else '<='} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A figure that misses its target."""

    what: str
    value: float
    target: Target
    case: str | None = None
    """The training case whose profile says why ..."""
    why: str = ""
    """... or the reason in words."""


@dataclass(slots=True)
class Section:
    """A heading, paragraphs and tables; and which figures in it miss their targets."""

    title: str
    blocks: list[str] = field(default_factory=list)
    shortfalls: list[Shortfall] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Add a paragraph."""
        self.blocks.append(text)

    def tabulate(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Add a table."""
        self.blocks.append(markdown_table(header, rows))

    def judged(
        self, sample: Sample, target: Target, what: str, *, case: str | None = None, why: str = ""
    ) -> str:
        """The cell of a figure with a target; a miss is marked and kept."""
        text = f"{sample.text()}; target {target.text()}"
        if target.is_met(sample.median):
            return text
        self.shortfalls.append(Shortfall(what, sample.median, target, case, why))
        return f"**{text}: missed**"

    def markdown(self) -> str:
        """The whole section."""
        return "\n\n".join([f"## {self.title}", *self.blocks]) + "\n"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; every row as long as the header."""
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"a row of {len(row)} cells below {len(header)} headings")
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
