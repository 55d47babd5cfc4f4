"""The early stop on trial: what `stop_on` would have stopped, how much of it wrongly, what it saves."""

from __future__ import annotations

from collections.abc import Callable

from stability.outcomes.stop_rule import STOP_RULES
from stability.page_kit.blocks import Block
from stability.page_kit.estimate import Estimate, text_of
from stability.page_kit.tables import Column, Found, Table, across, by_two, sizes, table
from stability.page_kit.words import capital, plural
from stability.questions.early_stop.estimate import EarlyStops
from stability.reading.study import Study

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
    found = by_two(stops.rates, "rule", "quantity")
    return [
        Block(
            key="stop-rule",
            question="What would stop_on have stopped, and how much of it wrongly?",
            finding=_finding(found),
            note=_note(study, stops),
            tables=(_table(found),),
            data=stops.rates,
        )
    ]


def _finding(found: Found) -> str:
    stopped, n_stops = Estimate.of(found[BOTH, "stopped"]), found[BOTH, "stopped"]["runs"]
    if not stopped.is_known:
        return f"{capital(stopped.reason)}."
    if not n_stops:
        return f"Stopping runs that are saturated or collapsed would have stopped none of {stopped.runs}."
    return (
        f"Stopping runs that are saturated or collapsed would have stopped {n_stops:,} of {stopped.runs} and "
        f"saved {text_of(found[BOTH, 'compute_saved'])} of all updates. {_false(found, n_stops)}"
    )


def _false(found: Found, n_stops: int) -> str:
    wrong, stops = found[BOTH, "false_stops"], plural(n_stops, "stop")
    if not wrong["runs"]:
        return f"None of the {stops} would have been false ({text_of(wrong)})."
    return (
        f"{wrong['runs']:,} of the {stops} would have been false ({text_of(wrong)}): the run ended otherwise "
        f"when trained on, {found[BOTH, 'success_stops']['runs']:,} of them stable or nearly so."
    )


def _note(study: Study, stops: EarlyStops) -> str:
    part = cut = ""
    if stops.n_runs < stops.n_available:
        part = f" {stops.n_runs:,} of {stops.n_available:,} runs, at points drawn at random."
    if stops.n_cut:
        runs = f"{plural(stops.n_cut, 'run')} that the study itself stopped"
        cut = f" Left out, since how they would have ended is not known: {runs}."
    return NOTE.format(persist=plural(study.frames.spec.outcomes.persist, "visit"), part=part, cut=cut)


def _table(found: Found) -> Table:
    def runs(quantity: str) -> Callable[[str], str]:
        return lambda rule: f"{found[rule, quantity]['runs']:,}"

    columns = (
        Column("stop_on", str, is_number=False),
        Column("runs stopped", runs("stopped")),
        *across(found, {"stopped": "of all runs"}),
        Column("false stops", runs("false_stops")),
        *across(
            found,
            {
                "false_stops": "of the stopped",
                "success_stops": "successes, of the stopped",
                "wrongly_stopped": "stopped, of runs that end otherwise",
                "compute_saved": "updates saved",
            },
        ),
        *sizes(found, "stopped"),
    )
    return table("Stops that the rule would have made, and false ones [95% interval]", STOP_RULES, columns)
