"""What a paper takes from a report: figures as SVG, PDF and PNG, tables as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from stability.page_kit.blocks import Block
from stability.page_kit.estimate import Cell
from stability.page_kit.svg import Drawing, page_style
from stability.page_kit.tables import Table
from stability.page_kit.words import NOTHING
from stability.report.export import write_bytes

DPI = 300
KINDS = ("svg", "pdf", "png")
UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
"""Equal figures give equal files."""
SIGNS = {
    "\\": r"\textbackslash{}",
    **{sign: "\\" + sign for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": "$-$",
    "≥": r"$\ge$",
    "≤": r"$\le$",
    "<": "$<$",
    ">": "$>$",
    "∞": r"$\infty$",
    "✓": r"$\checkmark$",
    "–": "--",
    "²": "$^2$",
}
"""What LaTeX reads as something else, or has in its formulae only."""
ALL_SIGNS = re.compile("[" + re.escape("".join(SIGNS)) + "]")

ZEROS = ("0", "0%", NOTHING)
COUNTED = (("n_points", "points"), ("n_runs", "runs"))
"""Heads of the columns that say how many."""

Rows = Sequence[Sequence[str]]


def write_figures(blocks: Iterable[Block], folder: Path) -> int:
    """Write every block's figure as `<folder>/<its key>.svg`, `.pdf` and `.png`; return how many figures.

    Raises `StabilityError` where that is not possible.
    """
    drawn = [(block.key, block.figure) for block in blocks if isinstance(block.figure, Drawing)]
    for key, drawing in drawn:
        for kind in KINDS:
            write_bytes(folder / f"{key}.{kind}", encode_figure(drawing.figure, kind))
    return len(drawn)


def encode_figure(figure: Figure, kind: str) -> bytes:
    """A figure as a file; text stays text in SVG and PDF."""
    buffer = io.BytesIO()
    with page_style(), matplotlib.rc_context({"pdf.fonttype": 42, "svg.hashsalt": "figure"}):
        figure.savefig(buffer, format=kind, dpi=DPI, bbox_inches="tight", metadata=UNDATED[kind])
    return buffer.getvalue()


def write_tables(blocks: Iterable[Block], folder: Path) -> int:
    """Write every block's tables as `<folder>/<name>.csv`, `.md` and `.tex`; return how many tables.

    Raises `StabilityError` where a file cannot be written.
    """
    named = [pair for block in blocks for pair in block.named_tables]
    for name, table in named:
        for suffix, encode in ENCODINGS.items():
            write_bytes(folder / f"{name}.{suffix}", encode(table).encode())
    return len(named)


def as_csv(table: Table) -> str:
    """A line a row: of estimates the numbers and both ends, of all else what the page shows."""
    columns = [
        column
        for head, cells in zip(table.heads, zip(*table.rows, strict=True), strict=True)
        for column in _csv_columns(head.text, cells)
    ]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(zip(*columns, strict=True))
    return text.getvalue()


def _csv_columns(head: str, cells: Sequence[Cell]) -> Rows:
    if not any(cell.numbers for cell in cells):
        return [[head, *map(_text, cells)]]
    numbers = zip(*(cell.numbers or ("", "", "") for cell in cells), strict=True)
    heads = (head, f"{head} ci_low", f"{head} ci_high")
    return [[name, *column] for name, column in zip(heads, numbers, strict=True)]


def as_markdown(table: Table) -> str:
    """A pipe table under its caption."""
    heads, *rows = [[text.replace("|", r"\|") for text in row] for row in _texts(table)]
    rule = ["---:" if head.is_number else "---" for head in table.heads]
    lines = ["| " + " | ".join(row) + " |" for row in (heads, rule, *rows)]
    return "\n".join([table.caption, "", *lines, ""])


def as_latex(table: Table) -> str:
    """A `table` with booktabs' rules, as narrow as it may be: what holds no number is told in the caption."""
    table = _lean(table)
    heads, *rows = [
        " & ".join(cells) + r" \\"
        for cells in (
            [
                _stacked(*head.text.split(" ")) if head.is_number else latex_text(head.text)
                for head in table.heads
            ],
            *([_latex_cell(cell) for cell in row] for row in table.rows),
        )
    ]
    columns = "".join("r" if head.is_number else "l" for head in table.heads)
    lines = [
        r"\begin{table}[t]",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{latex_text(table.caption)}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        heads,
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
        "",
    ]
    return "\n".join(lines)


ENCODINGS: dict[str, Callable[[Table], str]] = {"csv": as_csv, "md": as_markdown, "tex": as_latex}


def _lean(table: Table) -> Table:
    """The table without columns in which nothing happened, and with points and runs once where equal."""
    places = range(1, len(table.heads))
    zeros = [place for place in places if _is_zero([row[place] for row in table.rows])]
    named = {head.text: place for place, head in enumerate(table.heads)}
    points, runs = (next((named[name] for name in names if name in named), 0) for names in COUNTED)
    same = points and runs and all(row[points].text == row[runs].text for row in table.rows)
    gone = {*zeros, points} if same else set(zeros)
    heads = [
        replace(head, text="n") if same and place == runs else head for place, head in enumerate(table.heads)
    ]
    said = [
        table.caption,
        *([f"none anywhere: {', '.join(table.heads[place].text for place in zeros)}"] if zeros else []),
        *(["n: points, one run each"] if same else []),
    ]
    kept = [place for place in range(len(heads)) if place not in gone]
    return replace(
        table,
        caption="; ".join(said),
        heads=tuple(heads[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in table.rows),
    )


def _is_zero(cells: Sequence[Cell]) -> bool:
    return any(cell.detail for cell in cells) and all(cell.text in ZEROS for cell in cells)


def _latex_cell(cell: Cell) -> str:
    if not cell.detail:
        return latex_text(cell.text)
    return rf"\shortstack[r]{{{latex_text(cell.text)}\\{{\scriptsize {latex_text(cell.detail)}}}}}"


def _stacked(*words: str) -> str:
    lines = r"\\".join(map(latex_text, words))
    return rf"\shortstack[r]{{{lines}}}" if len(words) > 1 else lines


def latex_text(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return ALL_SIGNS.sub(lambda found: SIGNS[found[0]], text)


def _texts(table: Table) -> Rows:
    """Heads, then rows."""
    return [[head.text for head in table.heads], *([_text(cell) for cell in row] for row in table.rows)]


def _text(cell: Cell) -> str:
    return f"{cell.text} {cell.detail}".strip()
