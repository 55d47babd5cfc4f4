"""What a paper takes from a report: figures as SVG, PDF and PNG, tables as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from stability.page_kit.blocks import Block
from stability.page_kit.estimate import Cell
from stability.page_kit.svg import Drawing, page_style
from stability.page_kit.tables import Table
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
    """Write every block's tables as `<folder>/<its key>.csv`, `.md` and `.tex`.

    The second table of a block is `<its key>-2` and so on. Returns how many tables.
    Raises `StabilityError` where a file cannot be written.
    """
    count = 0
    for block in blocks:
        tables = [table for table in block.tables if table.rows]
        for place, table in enumerate(tables):
            name = block.key if place == 0 else f"{block.key}-{place + 1}"
            for suffix, encode in ENCODINGS.items():
                write_bytes(folder / f"{name}.{suffix}", encode(table).encode())
        count += len(tables)
    return count


def as_csv(table: Table) -> str:
    """The table's cells as the page shows them, a line a row."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(_texts(table))
    return text.getvalue()


def as_markdown(table: Table) -> str:
    """A pipe table under its caption."""
    heads, *rows = [[text.replace("|", r"\|") for text in row] for row in _texts(table)]
    rule = ["---:" if head.is_number else "---" for head in table.heads]
    lines = ["| " + " | ".join(row) + " |" for row in (heads, rule, *rows)]
    return "\n".join([table.caption, "", *lines, ""])


def as_latex(table: Table) -> str:
    """A `table` with booktabs' rules."""
    heads, *rows = [" & ".join(map(latex_text, row)) + r" \\" for row in _texts(table)]
    columns = "".join("r" if head.is_number else "l" for head in table.heads)
    lines = [
        r"\begin{table}",
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


def latex_text(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return ALL_SIGNS.sub(lambda found: SIGNS[found[0]], text)


def _texts(table: Table) -> Rows:
    """Heads, then rows."""
    return [[head.text for head in table.heads], *([_text(cell) for cell in row] for row in table.rows)]


def _text(cell: Cell) -> str:
    return f"{cell.text} {cell.detail}".strip()
