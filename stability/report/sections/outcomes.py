"""How runs end and what happened on the way: rates by factor, or counts where there is no rate."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from stability.analysis.rates import EVENTS, NORMAL_FROM, OUTCOMES, SUCCESS
from stability.analysis.study import ALL, Study
from stability.report.blocks import Block, Cell, Head, Table, rate_cell
from stability.report.figures.shares import share_panels
from stability.report.palette import LOOKS
from stability.report.svg import inline_svg
from stability.report.words import interval, share

METHOD = (
    "Intervals are 95% Wilson intervals. Runs that share a point are not independent: with several runs a "
    f"point the number of runs is divided by the design effect; below {NORMAL_FROM} points Student’s "
    "quantile is used, but no interval is wider than with one run a point. Diverged runs stay in the "
    "denominator. Success is stable or nearly stable. Outcomes add up to 1, events do not. Of events, "
    "“collapse ever” is one of a run that had been good, “collapse never good” one of a run that never was, "
    "and “collapse at horizon” is either, where it lasts to the end."
)
OVER_SEEDS = " All of it is over seeds and says nothing of other settings."


def rate_block(study: Study, factor: str, rates: pd.DataFrame) -> Block:
    """The rates of success, outcomes and events at a factor's levels; `rates` as `rates_by` gives them."""
    levels = study.order(factor)
    ordered = [*study.outcomes, *(event for event in OUTCOMES if event not in study.outcomes)]
    figure = share_panels(rates, factor, levels, [SUCCESS, *study.outcomes])
    by = "" if factor == ALL else f", by {factor}"
    alt = f"Share of runs with each outcome{by}, as dots with 95% intervals. {_spoken(rates, factor, levels)}"
    captions = (
        f"Share of runs with each outcome [95% interval]{by}",
        f"Share of runs in which something happened [95% interval]{by}",
    )
    return Block(
        key=f"shares-by-{_key(factor)}",
        question="How do runs end?" if factor == ALL else f"How do runs end under each {factor}?",
        finding="",
        figure=inline_svg(figure, f"shares-{_key(factor)}", alt),
        note=METHOD if study.unit == "point" else METHOD + OVER_SEEDS,
        tables=(
            _rate_table(rates, factor, levels, [SUCCESS, *ordered], captions[0]),
            _rate_table(
                rates, factor, levels, EVENTS, captions[1], folded="Events on the way, whatever the outcome"
            ),
        ),
        data=rates,
    )


def count_block(study: Study, factor: str, counts: pd.DataFrame) -> Block:
    """What happened, where it makes no rates; `counts` as `counts_by` gives them."""
    found = {(row[factor], row["outcome"]): int(row["runs"]) for row in counts.to_dict("records")}
    rows = []
    for level in study.order(factor):
        here = [found.get((level, outcome), 0) for outcome in study.outcomes]
        n_points = study.runs.loc[study.runs[factor] == level, "point"].nunique()
        rows.append(tuple(Cell(str(text)) for text in (level, *here, n_points, sum(here))))
    by = "" if factor == ALL else f", by {factor}"
    under = "" if factor == ALL else f" under each {factor}"
    why = "of a search" if not study.estimable else "at settings that the levels do not share"
    caption = f"Number of runs with each outcome{by}: counts {why}, not rates"
    return Block(
        key=f"counts-by-{_key(factor)}",
        question=f"{'How have runs ended' if study.estimable else 'What did the search find'}{under}?",
        finding="",
        figure=None,
        note="",
        tables=(Table(caption, _heads(factor, study.outcomes), tuple(rows)),),
        data=counts,
    )


def _rate_table(
    rates: pd.DataFrame,
    factor: str,
    levels: Sequence[str],
    events: Sequence[str],
    caption: str,
    *,
    folded: str = "",
) -> Table:
    """Levels down, events across; then how many points and runs stand behind them."""
    rows = []
    for level in levels:
        here = {row["event"]: row for row in rates[rates[factor] == level].to_dict("records")}
        first = here[events[0]]
        sizes = (Cell(f"{first['n_points']:,}"), Cell(f"{first['n_runs']:,}"))
        rows.append((Cell(level), *(rate_cell(here[event]) for event in events), *sizes))
    return Table(caption, _heads(factor, events), tuple(rows), folded)


def _heads(factor: str, events: Sequence[str]) -> tuple[Head, ...]:
    return (
        Head("" if factor == ALL else factor, is_number=False),
        *(
            Head(event.replace("_", " "), glyph=event if event in LOOKS else "", is_number=False)
            for event in events
        ),
        Head("n_points"),
        Head("n_runs"),
    )


def _spoken(rates: pd.DataFrame, factor: str, levels: Sequence[str]) -> str:
    success = {row[factor]: row for row in rates[rates["event"] == SUCCESS].to_dict("records")}
    texts = [
        f"{level} {share(row['estimate'])} {interval(row['ci_low'], row['ci_high'])}"
        for level, row in ((level, success[level]) for level in levels)
    ]
    return f"Success: {'; '.join(texts)}."


def _key(factor: str) -> str:
    """Within an id: a parameter's name has letters, digits and underscores only."""
    return factor.replace("_", "-")
