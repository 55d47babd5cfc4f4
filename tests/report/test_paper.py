"""Figures and tables as files for a paper."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from stability.page_kit.blocks import Block
from stability.page_kit.estimate import Cell
from stability.page_kit.svg import inline_svg, page_style
from stability.page_kit.table_files import ENCODINGS
from stability.page_kit.tables import Head, Table
from stability.report.paper import write_figures, write_tables

TABLE = Table("Share of runs", (Head("loss", is_number=False), Head("stable")), ((Cell("a"), Cell(".47")),))


def block(**changes: object) -> Block:
    with page_style():
        figure = Figure(figsize=(2, 1))
        figure.subplots().plot([0, 1], [0.123456789, 1])
    usual = {
        "key": "how",
        "question": "?",
        "finding": "",
        "note": "",
        "tables": (TABLE, replace(TABLE, key="why")),
    }
    drawn = {"figure": inline_svg(figure, "how", "a line"), "data": pd.DataFrame()}
    return Block(**{**usual, **drawn, **changes})  # type: ignore[arg-type]


def test_every_figure_and_table_is_written_in_every_kind(tmp_path: Path) -> None:
    blocks = [block(), block(key="bare", figure=None, tables=())]
    assert (write_figures(blocks, tmp_path / "f"), write_tables(blocks, tmp_path / "t")) == (1, 2)
    assert sorted(path.name for path in (tmp_path / "f").iterdir()) == ["how.pdf", "how.png", "how.svg"]
    assert (tmp_path / "f" / "how.pdf").read_bytes().startswith(b"%PDF-")
    assert "var(--" not in (tmp_path / "f" / "how.svg").read_text()
    with Image.open(tmp_path / "f" / "how.png") as picture:
        assert picture.width > 500
    names = {f"{name}.{suffix}" for name in ("how", "why") for suffix in ENCODINGS}
    assert {path.name for path in (tmp_path / "t").iterdir()} == names


def test_equal_figures_give_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_figures([block()], tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_the_page_holds_places_to_a_hundredth_only() -> None:
    drawing = inline_svg(block().figure.figure, "how", "a line")  # type: ignore[union-attr]
    assert ".123456" not in drawing
    assert drawing.figure.axes
