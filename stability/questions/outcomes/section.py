"""How runs end and what happened on the way: rates by factor, or counts where there is no rate."""

from __future__ import annotations

import pandas as pd

from stability.page_kit.blocks import Block
from stability.page_kit.estimate import text_of
from stability.page_kit.palette import LOOKS
from stability.page_kit.svg import inline_svg
from stability.page_kit.tables import Column, across, by_two, columns, ends, levels_of, sizes, table
from stability.page_kit.words import by_levels, slug, spaced
from stability.questions.outcomes.figure import share_panels
from stability.reading.study import ALL, Study
from stability.statistics.rates import NORMAL_FROM, OUTCOMES, SUCCESS
from stability.vocabulary.metrics import EVENTS

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
    levels, by = study.order(factor), by_levels(factor)
    found = by_two(rates, factor, "event")
    ended = [SUCCESS, *study.outcomes, *(event for event in OUTCOMES if event not in study.outcomes)]
    outcomes, events = (
        (levels_of(factor), *across(found, {name: spaced(name) for name in names}, glyphs=LOOKS))
        for names in (ended, EVENTS)
    )
    behind = sizes(found, SUCCESS)
    told = "; ".join(f"{level} {text_of(found[level, SUCCESS])}" for level in levels)
    alt = f"Share of runs with each outcome{by}, as dots with 95% intervals. Success: {told}."
    figure = share_panels(rates, factor, levels, [SUCCESS, *study.outcomes])
    return Block(
        key=f"shares-by-{slug(factor)}",
        question="How do runs end?" if factor == ALL else f"How do runs end under each {factor}?",
        figure=inline_svg(figure, f"shares-{slug(factor)}", alt),
        note=METHOD if study.unit == "point" else METHOD + OVER_SEEDS,
        tables=(
            table(
                f"How runs end (95% interval){by}",
                levels,
                (levels_of(factor), *ends(found), *behind),
                key=f"ends-by-{slug(factor)}",
            ),
            table(
                f"Share of runs with each outcome [95% interval]{by}",
                levels,
                (*outcomes, *behind),
                "Every outcome by itself",
                f"shares-by-{slug(factor)}",
            ),
            table(
                f"Share of runs in which something happened [95% interval]{by}",
                levels,
                (*events, *behind),
                "Events on the way, whatever the outcome",
                f"events-by-{slug(factor)}",
            ),
        ),
        data=rates,
    )


def count_block(study: Study, factor: str, counts: pd.DataFrame) -> Block:
    """What happened, where it makes no rates; `counts` as `counts_by` gives them."""
    found = counts.set_index([factor, "outcome"])["runs"]
    points = study.runs.groupby(factor)["point"].nunique()
    ended = {name: name for name in study.outcomes}
    shown = (
        levels_of(factor),
        *columns(ended, lambda name, level: str(found.get((level, name), 0)), glyphs=ended),
        Column("n_points", lambda level: str(points[level])),
        Column("n_runs", lambda level: str(found[level].sum())),
    )
    observed = study.frames.spec.observed and not study.estimable
    searched = not (study.estimable or study.frames.spec.observed)
    why = "of observed runs" if observed else "at settings that the levels do not share"
    caption = (
        f"Number of runs with each outcome{by_levels(factor)}: counts "
        f"{'of a search' if searched else why}, not rates"
    )
    under = "" if factor == ALL else f" under each {factor}"
    return Block(
        key=f"counts-by-{slug(factor)}",
        question=f"{'What did the search find' if searched else 'How have runs ended'}{under}?",
        tables=(table(caption, study.order(factor), shown),),
        data=counts,
    )
