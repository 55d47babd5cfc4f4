"""The early stop on trial: what `stop_on` would have stopped, how much of it wrongly, what it saves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from stability.analysis.early_stops import EarlyStops
from stability.analysis.study import Study
from stability.outcomes.stop_rule import STOP_RULES
from stability.report.blocks import Block, Cell, Head, Table, rate_cell
from stability.report.words import interval, plural, share

BOTH = "saturated or collapsed"

NOTE = (
    "The rule is replayed on stored histories as it works in training: at every visit but the last, by what "
    "was known then. A saturation must have lasted {persist} by then, and so must a collapse, of a run that "
    "had been good. A stop is false if the run, trained on to the horizon, ended neither diverged, saturated "
    "nor collapsed (wholly or in part); some of those succeeded. Longer training could mend more runs: a "
    "false stop is one by this horizon. Saved: updates of both networks after the stop, of all updates of "
    "all runs. 95% intervals over points.{part}{cut} Where a study does stop runs, recovery cannot be seen "
    "any more: the section on time counts a stop as an end of its own that competes with the event and with "
    "recovery."
)


def early_stop_blocks(study: Study, stops: EarlyStops) -> list[Block]:
    """One block: every rule in one line of a table."""
    found = {(row["rule"], row["quantity"]): row for row in stops.rates.to_dict("records")}
    return [
        Block(
            key="stop-rule",
            question="What would stop_on have stopped, and how much of it wrongly?",
            finding=_finding(found),
            figure=None,
            note=_note(study, stops),
            tables=(_table(found),),
            data=stops.rates,
        )
    ]


def _finding(found: Mapping[tuple[str, str], Mapping[Any, Any]]) -> str:
    stopped, wrong, success, saved = (
        found[BOTH, quantity] for quantity in ("stopped", "false_stops", "success_stops", "compute_saved")
    )
    if pd.isna(stopped["estimate"]):
        reason = str(stopped["reason"])
        return f"{reason[0].upper()}{reason[1:]}."
    if not stopped["runs"]:
        return f"Stopping runs that are saturated or collapsed would have stopped none of {_runs(stopped)}."
    return (
        f"Stopping runs that are saturated or collapsed would have stopped {stopped['runs']:,} of "
        f"{_runs(stopped)} and saved {_told(saved)} of all updates. {_false(wrong, success, stopped['runs'])}"
    )


def _false(wrong: Mapping[Any, Any], success: Mapping[Any, Any], stops: int) -> str:
    if not wrong["runs"]:
        return f"None of the {plural(stops, 'stop')} would have been false ({_told(wrong)})."
    return (
        f"{wrong['runs']:,} of the {plural(stops, 'stop')} would have been false ({_told(wrong)}): the run "
        f"ended otherwise when trained on, {success['runs']:,} of them stable or nearly so."
    )


def _note(study: Study, stops: EarlyStops) -> str:
    part = cut = ""
    if stops.n_runs < stops.n_available:
        part = f" {stops.n_runs:,} of {stops.n_available:,} runs, at points drawn at random."
    if stops.n_cut:
        cut = f" Left out, since how they would have ended is not known: {_cut(stops.n_cut)}."
    return NOTE.format(persist=plural(study.frames.spec.outcomes.persist, "visit"), part=part, cut=cut)


def _cut(n: int) -> str:
    return f"{plural(n, 'run')} that the study itself stopped"


def _table(found: Mapping[tuple[str, str], Mapping[Any, Any]]) -> Table:
    heads = (
        Head("stop_on", is_number=False),
        Head("runs stopped"),
        Head("of all runs"),
        Head("false stops"),
        Head("of the stopped"),
        Head("successes, of the stopped"),
        Head("stopped, of runs that end otherwise"),
        Head("updates saved"),
        Head("n_points"),
        Head("n_runs"),
    )
    rows = []
    for rule in STOP_RULES:
        stopped, wrong, success, wrongly, saved = (
            found[rule, name]
            for name in ("stopped", "false_stops", "success_stops", "wrongly_stopped", "compute_saved")
        )
        sizes = (Cell(f"{stopped['n_points']:,}"), Cell(f"{stopped['n_runs']:,}"))
        counted = (
            (Cell(f"{stopped['runs']:,}"), rate_cell(stopped)),
            (Cell(f"{wrong['runs']:,}"), rate_cell(wrong)),
            (rate_cell(success), rate_cell(wrongly), rate_cell(saved)),
        )
        rows.append((Cell(rule), *(cell for cells in counted for cell in cells), *sizes))
    return Table("Stops that the rule would have made, and false ones [95% interval]", heads, tuple(rows))


def _runs(row: Mapping[Any, Any]) -> str:
    return plural(int(row["n_runs"]), "run")


def _told(row: Mapping[Any, Any]) -> str:
    return f"{share(float(row['estimate']))} {interval(float(row['ci_low']), float(row['ci_high']))}"
