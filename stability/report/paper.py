"""What a paper takes from a report: figures as SVG, PDF and PNG, tables as CSV, Markdown and LaTeX."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from stability.page_kit.blocks import Block
from stability.page_kit.svg import Drawing, page_style
from stability.page_kit.table_files import encoded
from stability.report.export import write_bytes

DPI = 300
KINDS = ("svg", "pdf", "png")
UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
"""Equal figures give equal files."""


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
        for suffix, text in encoded(table).items():
            write_bytes(folder / f"{name}.{suffix}", text.encode())
    return len(named)
