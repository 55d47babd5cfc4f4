"""Tables as CSV, Markdown and LaTeX: what the page's menus save and what the command writes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from stability.page_kit.estimate import Cell
from stability.page_kit.tables import Table
from stability.page_kit.words import NOTHING

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
    table = _with_one_size(_without_zeros(table))
    stacked = [
        _stacked(*head.text.split()) if head.is_number else latex_text(head.text) for head in table.heads
    ]
    cells = [stacked, *([_latex_cell(cell) for cell in row] for row in table.rows)]
    heads, *rows = [" & ".join(line) + r" \\" for line in cells]
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


def _without_zeros(table: Table) -> Table:
    """The table without columns in which nothing happened; its caption names them."""
    zeros = [place for place in range(1, len(table.heads)) if _is_zero(table.column(place))]
    if not zeros:
        return table
    named = ", ".join(table.heads[place].text for place in zeros)
    kept = table.only([place for place in range(len(table.heads)) if place not in zeros])
    return replace(kept, caption=f"{table.caption}; none anywhere: {named}")


def _with_one_size(table: Table) -> Table:
    """The table with one column for points and runs, where every point has one run."""
    places = range(len(table.heads))
    points, runs = (next((at for at in places if table.heads[at].text in names), 0) for names in COUNTED)
    if not (points and runs) or table.column(points) != table.column(runs):
        return table
    heads = tuple(replace(head, text="n") if at == runs else head for at, head in enumerate(table.heads))
    kept = replace(table, heads=heads).only([at for at in places if at != points])
    return replace(kept, caption=f"{table.caption}; n: points, one run each")


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


def encoded(table: Table) -> dict[str, str]:
    """The table in every kind, by the file's suffix."""
    return {suffix: encode(table) for suffix, encode in ENCODINGS.items()}
