"""What stability costs, and how rates move on narrower parts of the space."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from stability.analysis.costs import MEASURES
from stability.analysis.rates import SUCCESS
from stability.analysis.study import ALL, Study
from stability.analysis.subboxes import WHOLE
from stability.report.blocks import Block, Cell, Head, Table
from stability.report.figures.forest import box_panels, cost_panels
from stability.report.svg import inline_svg
from stability.report.words import NOTHING, interval, listed, number, plural, share

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
    levels = study.order(factor)
    finding = " ".join([*_best(costs, factor, "successes_per_hour"), *_same_updates(costs)])
    figure = cost_panels(costs, factor, levels, {name: TITLES[name] for name in DRAWN})
    by = "" if factor == ALL else f", by {factor}"
    alt = f"Dots with 95% intervals{by}. {_spoken(costs, factor, levels)}"
    return [
        Block(
            key="costs",
            question="How much stability does the training buy?",
            finding=finding,
            figure=inline_svg(figure, "costs", alt),
            note=_note(study),
            tables=(_cost_table(costs, factor, levels),),
            data=costs,
        )
    ]


def subbox_blocks(study: Study, rates: pd.DataFrame, factor: str) -> list[Block]:
    """Rates on parts of the space; `rates` as `subbox_rates` gives them for this factor."""
    named = rates.assign(box=[_box_name(row) for row in rates.to_dict("records")])
    names = list(dict.fromkeys(named["box"]))
    if not study.estimable or len(names) < 2:
        return []
    levels = study.order(factor)
    titles = {
        event: EVENT_TITLES.get(event, event.replace("_", " ")) for event in dict.fromkeys(rates["event"])
    }
    finding = _moves(named, levels)
    by = "" if factor == ALL else f", by {factor}"
    figure = box_panels(named, names, levels, titles)
    alt = f"Shares of runs{by}, as dots with 95% intervals, a group for each part of the space. {finding}"
    return [
        Block(
            key="parts-of-the-space",
            question="Do the rates hold on narrower parts of the space?",
            finding=finding,
            figure=inline_svg(figure, "parts-of-the-space", alt),
            note=(
                "Every rate is an average over the sampled space. Here one parameter at a time is narrowed: "
                "to its usual range where that lies inside and holds enough points, to its lower and upper "
                "part elsewhere. Intervals are 95% Wilson intervals, each for itself, so a part that stands "
                "out among many may do so by luck."
            ),
            tables=tuple(_box_table(named, factor, names, levels, event, titles[event]) for event in titles),
            data=rates,
        )
    ]


def _best(costs: pd.DataFrame, factor: str, measure: str) -> list[str]:
    here = costs[(costs["measure"] == measure) & costs["estimate"].notna()]
    here = here.sort_values("estimate", ascending=False, kind="stable")
    if here.empty:
        return []
    if here["estimate"].iloc[0] == 0:
        return ["No run succeeded, so no training bought any."]
    best, rest = here.iloc[0], here.iloc[1:]
    amount = number(float(best["estimate"]))
    if factor == ALL:
        return [f"The study gave {amount} {_bounds(best)} {TITLES[measure]}."]
    return [f"{best[factor]} gave the most: {amount} {TITLES[measure]}.", *_overlap(best, rest, factor)]


def _overlap(best: Any, rest: pd.DataFrame, factor: str) -> list[str]:
    """Which intervals overlap with the largest estimate's, all holding at once; it says no more than that."""
    known = rest[rest["joint_low"].notna()]
    if known.empty or math.isnan(best["joint_low"]):
        return []
    n_levels = len(rest) + 1
    bounds = f"[{number(float(best['joint_low']))}, {number(float(best['joint_high']))}]"
    each = f"all {n_levels} at once (Bonferroni, {100 * (1 - 0.05 / n_levels):.3g}% each)"
    overlapping = known[known["joint_high"] >= best["joint_low"]]
    if overlapping.empty and len(known) < len(rest):
        return []
    others = f"with that of {listed([str(name) for name in overlapping[factor]])}"
    return [
        f"With intervals that hold for {each}, its own, {bounds}, overlaps "
        f"{others if len(overlapping) else 'with no other'}."
    ]


def _same_updates(costs: pd.DataFrame) -> list[str]:
    updates = costs.loc[costs["measure"] == "updates_per_run", "estimate"].dropna()
    if len(updates) < 2 or updates.max() > 1.001 * updates.min():
        return []
    return [
        "All took the same number of discriminator updates a run, so these rank them as rates per run do."
    ]


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


def _cost_table(costs: pd.DataFrame, factor: str, levels: tuple[str, ...]) -> Table:
    found = {(row[factor], row["measure"]): row for row in costs.to_dict("records")}
    rows = []
    for level in levels:
        first = found[level, "updates_per_run"]
        cells = [_cost_cell(found[level, measure]) for measure in MEASURES]
        rows.append((Cell(level), *cells, Cell(f"{first['n_points']:,}"), Cell(f"{first['n_runs']:,}")))
    heads = (
        Head("" if factor == ALL else factor, is_number=False),
        *(Head(TITLES[measure]) for measure in MEASURES),
        Head("n_points"),
        Head("n_runs"),
    )
    return Table("Costs, collapses and successes for them [95% interval]", heads, tuple(rows))


def _cost_cell(row: dict[Any, Any]) -> Cell:
    if math.isnan(row["estimate"]):
        return Cell(NOTHING, title=row["reason"])
    detail = _bounds(row) if not math.isnan(row["ci_low"]) else ""
    return Cell(number(float(row["estimate"])), detail, row["reason"])


def _bounds(row: Any) -> str:
    if math.isnan(row["ci_low"]):
        return "[no interval]"
    return f"[{number(float(row['ci_low']))}, {number(float(row['ci_high']))}]"


def _spoken(costs: pd.DataFrame, factor: str, levels: tuple[str, ...]) -> str:
    found = {(row[factor], row["measure"]): row for row in costs.to_dict("records")}
    texts = []
    for measure in DRAWN:
        each = [f"{level} {number(float(found[level, measure]['estimate']))}" for level in levels]
        texts.append(f"{TITLES[measure][0].upper()}{TITLES[measure][1:]}: {', '.join(each)}.")
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
    own = parts[parts["level"] == leaders[0]].sort_values("estimate", kind="stable")
    if len(own):
        of = f" under {leaders[0]}" if len(levels) > 1 else ""
        sentences.append(f"The success rate{of} is {share(top)} over the whole space, {_span(own)}.")
    return " ".join(sentences)


def _span(own: pd.DataFrame) -> str:
    """The lowest and the highest of these rates, or the only one; in the order of their estimates."""
    ends = [
        f"{share(row['estimate'])} {interval(row['ci_low'], row['ci_high'])} on {row['box']}"
        for row in own.iloc[[0, -1]].to_dict("records")
    ]
    return f"from {ends[0]} to {ends[1]}" if len(own) > 1 else ends[0]


def _lead(parts: pd.DataFrame, leaders: list[str]) -> str:
    """In how many parts a leader over the whole space leads, too."""
    best = parts.groupby("box")["estimate"].transform("max")
    leading = set(parts.loc[(parts["estimate"] == best) & parts["level"].isin(leaders), "box"])
    boxes = list(dict.fromkeys(parts["box"]))
    others = [box for box in boxes if box not in leading]
    names = listed(leaders)
    are = "is" if len(leaders) == 1 else "are"
    if not others:
        return f"{names}, ahead over the whole space, {are} so on every part."
    where = f": not on {listed(others)}" if len(others) <= 3 else ""
    return (
        f"{names}, ahead over the whole space, {are} so on {len(leading)} of {plural(len(boxes), 'part')}"
        f"{where}. Intervals on a part are wide: a change of order alone says little."
    )


def _box_table(
    named: pd.DataFrame, factor: str, names: list[str], levels: tuple[str, ...], event: str, title: str
) -> Table:
    found = {(row["box"], row["level"]): row for row in named[named["event"] == event].to_dict("records")}
    rows = []
    for name in names:
        cells = [_share_cell(found.get((name, level))) for level in levels]
        n_runs = sum(int(found[name, level]["n_runs"]) for level in levels if (name, level) in found)
        rows.append((Cell(name), *cells, Cell(f"{n_runs:,}")))
    heads = (Head("part", is_number=False), *(Head(level) for level in levels), Head("n_runs"))
    by = "" if factor == ALL else f", by {factor}"
    return Table(
        f"Share of runs that {title} [95% interval], by part of the space{by}",
        heads,
        tuple(rows),
        "" if event == SUCCESS else f"The same for runs that {title}",
    )


def _share_cell(row: dict[Any, Any] | None) -> Cell:
    if row is None:
        return Cell(NOTHING, title="no finished runs in this part")
    if math.isnan(row["estimate"]):
        return Cell(NOTHING, title=row["reason"])
    return Cell(share(row["estimate"]), f"{interval(row['ci_low'], row['ci_high'])}", row["reason"])


def _box_name(row: dict[Any, Any]) -> str:
    if row["parameter"] == WHOLE:
        return WHOLE_NAME
    return f"{row['parameter']} {number(float(row['low']))} to {number(float(row['high']))}"
