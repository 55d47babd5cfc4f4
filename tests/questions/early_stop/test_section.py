from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from stability.outcomes.stop_rule import STOP_RULES
from stability.questions.early_stop.estimate import QUANTITIES, EarlyStops
from stability.questions.early_stop.section import early_stop_blocks
from stability.reading.frames import StudyFrames
from stability.reading.study import Study

MakeStudy = Callable[..., StudyFrames]
SHARES = {
    "stopped": 0.3,
    "false_stops": 0.25,
    "success_stops": 0.125,
    "wrongly_stopped": 0.05,
    "compute_saved": 0.2,
}
RUNS = {"stopped": 24, "false_stops": 6, "success_stops": 3, "wrongly_stopped": 6, "compute_saved": 24}


def made(n_cut: int = 0, n_available: int = 80, reason: str = "", **runs: int) -> EarlyStops:
    rows = [
        {
            "rule": rule,
            "quantity": quantity,
            "runs": (RUNS | runs)[quantity],
            "estimate": float("nan") if reason else SHARES[quantity],
            "ci_low": float("nan") if reason else SHARES[quantity] - 0.04,
            "ci_high": float("nan") if reason else SHARES[quantity] + 0.04,
            "n_points": 20,
            "n_runs": 80,
            "reason": reason,
        }
        for rule in STOP_RULES
        for quantity in QUANTITIES
    ]
    return EarlyStops(pd.DataFrame(rows), pd.DataFrame(), 80, n_available, n_cut)


def test_the_finding_counts_stops_false_ones_and_what_is_saved(make_study: MakeStudy) -> None:
    (block,) = early_stop_blocks(Study(make_study()), made())
    assert block.finding == (
        "Stopping runs that are saturated or collapsed would have stopped 24 of 80 runs and saved "
        ".20 [.16, .24] of all updates. 6 of the 24 stops would have been false (.25 [.21, .29]): the run "
        "ended otherwise when trained on, 3 of them stable or nearly so."
    )


def test_the_table_has_a_line_a_rule(make_study: MakeStudy) -> None:
    (block,) = early_stop_blocks(Study(make_study()), made())
    (table,) = block.tables
    assert [row[0].text for row in table.rows] == list(STOP_RULES)
    names = [head.text for head in table.heads]
    for row in table.rows:
        cells = dict(zip(names, row, strict=True))
        assert (cells["runs stopped"].text, cells["false stops"].text) == ("24", "6")
        assert (cells["of the stopped"].text, cells["of the stopped"].detail) == (".25", "[.21, .29]")
        assert cells["successes, of the stopped"].text == ".12"
        assert cells["stopped, of runs that end otherwise"].text == ".05"
        assert cells["updates saved"].text == ".20"
        assert (cells["n_points"].text, cells["n_runs"].text) == ("20", "80")
    assert block.data["quantity"].nunique() == len(QUANTITIES)


def test_where_nothing_is_stopped_or_known_it_says_so(make_study: MakeStudy) -> None:
    study = Study(make_study())
    none = made(stopped=0, false_stops=0)
    assert early_stop_blocks(study, none)[0].finding.endswith("would have stopped none of 80 runs.")
    unknown = early_stop_blocks(study, made(reason="not estimable: no finished runs"))[0]
    assert unknown.finding == "Not estimable: no finished runs."
    assert unknown.tables[0].rows[0][2].title == "not estimable: no finished runs"


def test_the_note_tells_what_a_stop_needs_what_is_left_out_and_that_it_competes(
    make_study: MakeStudy,
) -> None:
    study = Study(make_study())
    plain = early_stop_blocks(study, made())[0].note
    assert f"lasted {study.frames.spec.outcomes.persist} visits by then" in plain
    assert "competes with the event and with recovery" in plain
    assert "Left out" not in plain
    assert "drawn at random" not in plain
    cut = early_stop_blocks(study, made(n_cut=1, n_available=90))[0].note
    assert "80 of 90 runs, at points drawn at random" in cut
    assert "how they would have ended is not known: 1 run that the study itself stopped." in cut
