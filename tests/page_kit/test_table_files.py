"""Tables as files."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import pytest

from stability.page_kit.estimate import Cell
from stability.page_kit.table_files import ENCODINGS, as_csv, as_latex, as_markdown, encoded, latex_text
from stability.page_kit.tables import Head, Table

TABLE = Table(
    "Share of runs, 95% interval",
    (Head("loss", is_number=False), Head("stable"), Head("n_runs")),
    (
        (Cell("a|b_c"), Cell(".47", "[.33, .61]", "", ("0.46875", "0.328", "0.61")), Cell("1,200")),
        (Cell("least & squares"), Cell("–", "", "why"), Cell("−3")),
    ),
)


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


def test_every_kind_is_told_by_its_suffix() -> None:
    assert encoded(TABLE) == {"csv": as_csv(TABLE), "md": as_markdown(TABLE), "tex": as_latex(TABLE)}
    assert list(encoded(TABLE)) == list(ENCODINGS)
