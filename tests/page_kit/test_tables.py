from __future__ import annotations

import numpy as np
import pandas as pd

from stability.page_kit.estimate import Cell, rows_of
from stability.page_kit.estimate import missing as missing_cell
from stability.page_kit.tables import SIZES, Head, Table, across, by_two, estimated, levels_of, sizes, texts
from stability.page_kit.tables import table as declared
from stability.reading.study import ALL

LONG = (Head("loss", is_number=False), Head("stable"), Head("fid"), Head("n_runs"))
RATES = pd.DataFrame(
    {
        "loss": ["hinge", "hinge", "minimax"],
        "event": ["success", "diverged", "success"],
        "estimate": [0.5, np.nan, 0.25],
        "ci_low": [0.4, np.nan, 0.1],
        "ci_high": [0.6, np.nan, 0.5],
        "n_points": [1000, 1000, 7],
        "n_runs": [2000, 2000, 14],
        "reason": ["", "not estimable: none", ""],
    }
)


def missing(why: str) -> Cell:
    return missing_cell(f"not estimable: {why}")


def table(*rows: tuple[Cell, ...]) -> Table:
    return Table("Shares [95% interval], by loss", LONG, rows)


def test_a_table_of_rows_has_a_column_for_each_that_is_declared() -> None:
    made = declared("Rates", rows_of(RATES), (*texts(loss="under"), estimated("rate"), *SIZES), "fold")
    assert [head.text for head in made.heads] == ["under", "rate", "n_points", "n_runs"]
    assert [head.is_number for head in made.heads] == [False, True, True, True]
    assert made.rows[0] == (Cell("hinge"), Cell(".50", "[.40, .60]"), Cell("1,000"), Cell("2,000"))
    assert made.rows[1][1] == missing("none")
    assert (made.caption, made.folded) == ("Rates", "fold")


def test_levels_stand_down_and_events_across() -> None:
    found = by_two(RATES, "loss", "event")
    heads = {"success": "succeeded", "diverged": "diverged"}
    columns = (
        levels_of("loss"),
        *across(found, heads, glyphs=("diverged",), none="no runs"),
        *sizes(found, "success"),
    )
    made = declared("Rates", ["minimax", "hinge"], columns)
    assert [(head.text, head.glyph) for head in made.heads][:3] == [
        ("loss", ""),
        ("succeeded", ""),
        ("diverged", "diverged"),
    ]
    assert made.rows[0] == (
        Cell("minimax"),
        Cell(".25", "[.10, .50]"),
        missing_cell("no runs"),
        Cell("7"),
        Cell("14"),
    )
    assert made.rows[1][2] == missing("none")
    assert levels_of(ALL).head == ""


def test_rows_and_columns_without_an_estimate_are_left_out_and_told_with_their_reasons() -> None:
    known = Cell(".50", "[.40, .60]")
    pruned = table(
        (Cell("hinge"), known, missing("two seeds"), Cell("80")),
        (Cell("minimax"), missing("few"), missing("two seeds"), Cell("1,000")),
        (Cell("wgan"), missing("few"), missing("two seeds"), Cell("0")),
    ).pruned()
    assert [head.text for head in pruned.heads] == ["loss", "stable", "n_runs"]
    assert pruned.rows == ((Cell("hinge"), known, Cell("80")),)
    assert pruned.missing == ("minimax and wgan: few", "fid: two seeds")


def test_a_missing_number_beside_estimates_keeps_its_place() -> None:
    rows = (
        (Cell("hinge"), Cell(".50", "[.40, .60]"), missing("late"), Cell("80")),
        (Cell("minimax"), missing("few"), Cell("12", "[9, 14]"), Cell("80")),
    )
    assert table(*rows).pruned() == table(*rows)
