"""What stability costs, and how rates move on narrower parts of the space."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from stability.page_kit.blocks import Block
from stability.page_kit.estimate import Row, rows_of, text_of
from stability.page_kit.svg import inline_svg
from stability.page_kit.tables import Found, across, by_two, levels_of, sizes, table
from stability.page_kit.words import by_levels, capital, interval, joined, listed, number
from stability.questions.cost.estimate import MEASURES
from stability.questions.cost.figure import cost_panels
from stability.reading.study import ALL, Study

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
