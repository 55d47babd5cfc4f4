"""How rates move along each parameter, and on narrower parts of the space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from stability.page_kit.blocks import Block
from stability.page_kit.estimate import Estimate, Row, rows_of, text_of
from stability.page_kit.svg import inline_svg
from stability.page_kit.tables import Column, Table, across, by_two, ends, sizes, table
from stability.page_kit.words import by_levels, listed, number, plural, share, slug, spaced, verb
from stability.questions.subspaces.estimate import WHOLE
from stability.questions.subspaces.figure import box_panels
from stability.reading.study import Study
from stability.statistics.rates import SUCCESS

EVENT_TITLES = {SUCCESS: "succeeded", "collapse_ever": "collapsed after being good"}


WHOLE_NAME = "whole space"


PARTS_NOTE = (
    "Every rate is an average over the sampled space. Here one parameter at a time is narrowed: to its usual "
    "range where that lies inside and holds enough points, to its lower and upper part elsewhere. Intervals "
    "are 95% Wilson intervals, each for itself, so a part that stands out among many may do so by luck."
)


ALONG_NOTE = (
    "All runs, whatever else they are, in each third of a parameter's range, on the scale it was drawn on. "
    "Intervals are 95% Wilson intervals, each for itself. The thirds hold other values of the other "
    "parameters, as these happened to be drawn."
)


def along_blocks(study: Study, rates: pd.DataFrame) -> list[Block]:
    """How runs end along each parameter; `rates` as `rates_along` gives them."""
    if not study.estimable or rates.empty:
        return []
    named = rates.assign(box=[_box_name(row) for row in rows_of(rates)])
    names, found = list(dict.fromkeys(named["box"])), by_two(named, "box", "event")
    return [
        Block(
            key="along-each-parameter",
            question="How do runs end along each parameter?",
            finding=_steepest(named),
            note=ALONG_NOTE,
            tables=(
                table(
                    "How runs end (95% interval), by thirds of each range",
                    names,
                    (Column("part", str, is_number=False), *ends(found), *sizes(found, SUCCESS)),
                    key="ends-by-third",
                ),
            ),
            data=rates,
        )
    ]


def _steepest(named: pd.DataFrame) -> str:
    """Along which parameter success moves most, between which thirds."""
    known = named[(named["event"] == SUCCESS) & named["estimate"].notna()]
    by_parameter = known.groupby("parameter")["estimate"]
    moves = by_parameter.max() - by_parameter.min()
    if moves.empty or moves.max() == 0:
        return ""
    own = known[known["parameter"] == moves.idxmax()]
    ordered = rows_of(own.sort_values("estimate", kind="stable"))
    low, high = (f"{Estimate.of(row).of_runs()} with {row['box']}" for row in (ordered[0], ordered[-1]))
    return f"Success moves most along {moves.idxmax()}: {low}, {high}."


def subbox_blocks(study: Study, rates: pd.DataFrame, factor: str) -> list[Block]:
    """Rates on parts of the space; `rates` as `subbox_rates` gives them for this factor."""
    named = rates.assign(box=[_box_name(row) for row in rows_of(rates)])
    names = list(dict.fromkeys(named["box"]))
    if not study.estimable or len(names) < 2:
        return []
    levels = study.order(factor)
    titles = {event: EVENT_TITLES.get(event, spaced(event)) for event in dict.fromkeys(rates["event"])}
    finding, by = _moves(named, levels), by_levels(factor)
    figure = box_panels(named, names, levels, titles)
    alt = f"Shares of runs{by}, as dots with 95% intervals, a group for each part of the space. {finding}"
    return [
        Block(
            key="parts-of-the-space",
            question="Do the rates hold on narrower parts of the space?",
            finding=finding,
            figure=inline_svg(figure, "parts-of-the-space", alt),
            note=PARTS_NOTE,
            tables=tuple(
                replace(
                    _box_table(named[named["event"] == event], names, levels, title, by),
                    key=f"{slug(event)}-by-part",
                )
                for event, title in titles.items()
            ),
            data=rates,
        )
    ]


def _moves(named: pd.DataFrame, levels: tuple[str, ...]) -> str:
    """Where the order of the levels changes, and how far the rate of the one that leads moves."""
    here = named[(named["event"] == SUCCESS) & named["estimate"].notna()]
    whole, parts = here[here["parameter"] == WHOLE], here[here["parameter"] != WHOLE]
    if whole.empty or parts.empty:
        return ""
    top = whole["estimate"].max()
    leaders = list(whole.loc[whole["estimate"] == top, "level"])
    if top == 0:
        return "No run succeeded anywhere."
    sentences = [_lead(parts, leaders)] if len(levels) > 1 else []
    own = rows_of(parts[parts["level"] == leaders[0]].sort_values("estimate", kind="stable"))
    if own:
        of = f" under {leaders[0]}" if len(levels) > 1 else ""
        sentences.append(f"The success rate{of} is {share(top)} over the whole space, {_span(own)}.")
    return " ".join(sentences)


def _span(own: Sequence[Row]) -> str:
    """The lowest and the highest of these rates, or the only one; in the order of their estimates."""
    low, high = (f"{text_of(row)} on {row['box']}" for row in (own[0], own[-1]))
    return f"from {low} to {high}" if len(own) > 1 else low


def _lead(parts: pd.DataFrame, leaders: list[str]) -> str:
    """In how many parts a leader over the whole space leads, too."""
    best = parts.groupby("box")["estimate"].transform("max")
    leading = set(parts.loc[(parts["estimate"] == best) & parts["level"].isin(leaders), "box"])
    boxes = list(dict.fromkeys(parts["box"]))
    others = [box for box in boxes if box not in leading]
    names = listed(leaders)
    are = verb(len(leaders), "is", "are")
    if not others:
        return f"{names}, ahead over the whole space, {are} so on every part."
    where = f": not on {listed(others)}" if len(others) <= 3 else ""
    return (
        f"{names}, ahead over the whole space, {are} so on {len(leading)} of {plural(len(boxes), 'part')}"
        f"{where}. Intervals on a part are wide: a change of order alone says little."
    )


def _box_table(
    rates: pd.DataFrame, names: Sequence[str], levels: Sequence[str], title: str, by: str
) -> Table:
    """The rates of one event: parts down, levels across."""
    runs, found = rates.groupby("box")["n_runs"].sum(), by_two(rates, "box", "level")
    columns = (
        Column("part", str, is_number=False),
        *across(found, {level: level for level in levels}, none="no finished runs in this part"),
        Column("n_runs", lambda name: f"{runs[name]:,}"),
    )
    caption = f"Share of runs that {title} [95% interval], by part of the space{by}"
    folded = "" if title == EVENT_TITLES[SUCCESS] else f"The same for runs that {title}"
    return table(caption, names, columns, folded)


def _box_name(row: Row) -> str:
    if row["parameter"] == WHOLE:
        return WHOLE_NAME
    return f"{row['parameter']} {number(row['low'])} to {number(row['high'])}"
