"""Figures and tables as files for a paper."""

from __future__ import annotations

import csv
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from stability.page_kit.blocks import Block
from stability.page_kit.estimate import Cell
from stability.page_kit.svg import inline_svg, page_style
from stability.page_kit.tables import Head, Table
from stability.report.paper import (
    ENCODINGS,
    as_csv,
    as_latex,
    as_markdown,
    latex_text,
    write_figures,
    write_tables,
)

TABLE = Table(
    "Share of runs, 95% interval",
    (Head("loss", is_number=False), Head("stable"), Head("n_runs")),
    (
        (Cell("a|b_c"), Cell(".47", "[.33, .61]", "", ("0.46875", "0.328", "0.61")), Cell("1,200")),
        (Cell("least & squares"), Cell("–", "", "why"), Cell("−3")),
    ),
)


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


def test_a_table_reads_back_from_csv_with_the_numbers_of_its_estimates(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(as_csv(TABLE), encoding="utf-8")
    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["loss", "stable", "stable ci_low", "stable ci_high", "n_runs"],
            ["a|b_c", "0.46875", "0.328", "0.61", "1,200"],
            ["least & squares", "", "", "", "−3"],
        ]


def test_a_table_in_markdown_keeps_its_columns() -> None:
    caption, empty, heads, rule, first, second, end = as_markdown(TABLE).split("\n")
    assert (caption, empty, end) == (TABLE.caption, "", "")
    assert rule == "| --- | ---: | ---: |"
    assert first == r"| a\|b_c | .47 [.33, .61] | 1,200 |"
    assert heads.count("|") == second.count("|") == 4


def test_a_table_in_latex_has_booktabs_rules_and_nothing_latex_stumbles_over() -> None:
    lines = as_latex(TABLE).splitlines()
    assert r"\caption{Share of runs, 95\% interval}" in lines
    assert r"\begin{tabular}{lrr}" in lines
    rules = [lines.index(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")]
    assert [end - start for start, end in pairwise(rules)] == [2, 3]
    assert r"least \& squares & -- & $-$3 \\" in lines
    assert r"loss & stable & n\_runs \\" in lines


def test_a_table_in_latex_is_as_narrow_as_its_numbers_allow() -> None:
    none, some = Cell("0", "[0, .11]"), Cell(".47", "[.33, .61]")
    heads = (Head("loss", is_number=False), *(Head(text) for text in ("mode collapse", "stable", "won")))
    counted = (*heads, Head("n_points"), Head("n_runs"))
    rows = ((Cell("a"), some, none, none), (Cell("b"), none, none, Cell("–")))
    alike = Table("Shares", counted, tuple((*row, Cell("8"), Cell("8")) for row in rows))
    lines = as_latex(alike).splitlines()
    assert r"\caption{Shares; none anywhere: stable, won; n: points, one run each}" in lines
    assert r"\begin{tabular}{lrr}" in lines
    assert r"loss & \shortstack[r]{mode\\collapse} & n \\" in lines
    assert r"a & \shortstack[r]{.47\\{\scriptsize [.33, .61]}} & 8 \\" in lines
    seeds = Table("Shares", counted, tuple((*row, Cell("8"), Cell("24")) for row in rows))
    assert r"\begin{tabular}{lrrr}" in as_latex(seeds)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a\\b{}", r"a\textbackslash{}b\{\}"), ("p ≥ .9~^", r"p $\ge$ .9\textasciitilde{}\textasciicircum{}")],
)
def test_signs_of_latex_stand_for_themselves(text: str, expected: str) -> None:
    assert latex_text(text) == expected


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
