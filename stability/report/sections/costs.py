"""What stability costs, and how rates move on narrower parts of the space."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from stability.analysis.costs import MEASURES
from stability.analysis.rates import SUCCESS
from stability.analysis.study import ALL, Study
from stability.analysis.subboxes import WHOLE
from stability.report.blocks import Block
from stability.report.estimate import Row, rows_of, text_of
from stability.report.figures.forest import box_panels, cost_panels
from stability.report.svg import inline_svg
from stability.report.tables import Column, Found, Table, across, by_two, levels_of, sizes, table
from stability.report.words import (
    by_levels,
    capital,
    interval,
    joined,
    listed,
    number,
    plural,
    share,
    spaced,
    verb,
)

TITLES = {
    "updates_per_run": "discriminator updates per run",
    "seconds_per_run": "seconds per run",
    "collapses_per_10k_updates": "collapses per 10,000 discriminator updates",
    "collapses_per_hour": "collapses per hour of training",
    "successes_per_million_updates": "successes per million discriminator updates",
    "successes_per_hour": "successes per hour of training",
}

DRAWN = (
    "collapses_per_10k_updates",
    "successes_per_million_updates",
    "collapses_per_hour",
    "successes_per_hour",
)

EVENT_TITLES = {SUCCESS: "succeeded", "collapse_ever": "collapsed after being good"}

WHOLE_NAME = "whole space"


def costs_blocks(study: Study, costs: pd.DataFrame, factor: str) -> list[Block]:
    """Rates for what was spent; `costs` as `costs_by` gives them for this factor. None without a rate."""
    if not study.estimable or costs["estimate"].isna().all():
        return []
    levels, found = study.order(factor), by_two(costs, factor, "measure")
    heads = {measure: TITLES[measure] for measure in MEASURES}
    columns = (levels_of(factor), *across(found, heads, number), *sizes(found, "updates_per_run"))
    figure = cost_panels(costs, factor, levels, {name: TITLES[name] for name in DRAWN})
    alt = f"Dots with 95% intervals{by_levels(factor)}. {_spoken(found, levels)}"
    return [
        Block(
            key="costs",
            question="How much stability does the training buy?",
            finding=joined(*_best(costs, factor, "successes_per_hour"), _same_updates(costs)),
            figure=inline_svg(figure, "costs", alt),
            note=_note(study),
            tables=(table("Costs, collapses and successes for them [95% interval]", levels, columns),),
            data=costs,
        )
    ]


PARTS_NOTE = (
    "Every rate is an average over the sampled space. Here one parameter at a time is narrowed: to its usual "
    "range where that lies inside and holds enough points, to its lower and upper part elsewhere. Intervals "
    "are 95% Wilson intervals, each for itself, so a part that stands out among many may do so by luck."
)


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
                _box_table(named[named["event"] == event], names, levels, title, by)
                for event, title in titles.items()
            ),
            data=rates,
        )
    ]


def _best(costs: pd.DataFrame, factor: str, measure: str) -> list[str]:
    here = costs[(costs["measure"] == measure) & costs["estimate"].notna()]
    rows = rows_of(here.sort_values("estimate", ascending=False, kind="stable"))
    if not rows:
        return []
    best, *rest = rows
    if best["estimate"] == 0:
        return ["No run succeeded, so no training bought any."]
    if factor == ALL:
        return [f"The study gave {text_of(best, number)} {TITLES[measure]}."]
    most = f"{best[factor]} gave the most: {number(best['estimate'])} {TITLES[measure]}."
    return [most, *_overlap(best, rest, factor)]


def _overlap(best: Row, rest: Sequence[Row], factor: str) -> list[str]:
    """Which intervals overlap with the largest estimate's, all holding at once; it says no more than that."""
    known = [row for row in rest if pd.notna(row["joint_low"])]
    if not known or pd.isna(best["joint_low"]):
        return []
    n_levels = len(rest) + 1
    bounds = interval(best["joint_low"], best["joint_high"], number)
    each = f"all {n_levels} at once (Bonferroni, {100 * (1 - 0.05 / n_levels):.3g}% each)"
    overlapping = [str(row[factor]) for row in known if row["joint_high"] >= best["joint_low"]]
    if not overlapping and len(known) < len(rest):
        return []
    others = f"with that of {listed(overlapping)}" if overlapping else "with no other"
    return [f"With intervals that hold for {each}, its own, {bounds}, overlaps {others}."]


def _same_updates(costs: pd.DataFrame) -> str:
    updates = costs.loc[costs["measure"] == "updates_per_run", "estimate"].dropna()
    if len(updates) < 2 or updates.max() > 1.001 * updates.min():
        return ""
    return "All took the same number of discriminator updates a run, so these rank them as rates per run do."


def _note(study: Study) -> str:
    parts = [
        "A run is at risk of collapse until its first one after being good, or until it diverges. Both "
        "the number of events and the training are random, and runs of a point are not independent: dots "
        "have 95% intervals of such ratios, each for itself, on a logarithmic scale, by points. Runs "
        "that train together share their time equally, so seconds tell apart only what was trained apart."
    ]
    if "accuracy_bar" in study.runs and study.runs["accuracy_bar"].notna().any():
        parts.append("Updates skipped because of accuracy_bar are counted as if they had been made.")
    return " ".join(parts)


def _spoken(found: Found, levels: tuple[str, ...]) -> str:
    texts = []
    for measure in DRAWN:
        each = [f"{level} {number(found[level, measure]['estimate'])}" for level in levels]
        texts.append(f"{capital(TITLES[measure])}: {', '.join(each)}.")
    return " ".join(texts)


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
