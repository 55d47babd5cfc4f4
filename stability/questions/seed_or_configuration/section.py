"""Seed against configuration: what each explains, and what a budget of points would have found."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from stability.page_kit.blocks import Block
from stability.page_kit.estimate import Cell, Row, missing, rows_of, text_of
from stability.page_kit.svg import inline_svg
from stability.page_kit.tables import Column, Table, across, by_two, columns, levels_of, sizes, table
from stability.page_kit.words import bare_reason, capital, listed, number, plural
from stability.questions.seed_or_configuration.estimate import PARTS, Variance
from stability.questions.seed_or_configuration.figure import budget_curves, configuration_dots, part_bars
from stability.reading.study import ALL, Study

LEVEL_NOTE = (
    "If runs of one configuration with other seeds end alike, the configuration explains all (1); if "
    "they differ as much as any two runs, the seed does (0). Intervals are jackknives over points. Runs"
    " that diverged have no FID: a point counts for a FID only if every one of its runs has a number."
)

PARTS_NOTE = (
    "The variance between all runs, split over points that have every level. Configuration: the same "
    "under every level. Their product: levels suit different configurations. Seed: runs that differ in "
    "nothing else. Intervals are jackknives over points; they are too narrow where few points differ."
)

BUDGET_NOTE = (
    "Exact, over all ways to pick k of the study’s own points: the line is the median, the band the "
    "middle 80%; thin lines repeat the other medians. A point counts by the median of its seeds; a "
    "diverged run counts as the worst. The band is the luck of the draw, not the uncertainty about "
    "other points, and closes when all points are tried."
)

GLANCES = (1, 2, 4, 8, 16, 32, 64, 128)
"""Budgets that the table lists."""


def variance_blocks(study: Study, variance: Variance, budget: pd.DataFrame) -> list[Block]:
    """The questions that the study can answer; none where it has no runs to estimate from."""
    if variance.by_level.empty:
        return []
    seen = set(variance.by_level[variance.factor])
    levels = [level for level in study.order(variance.factor) if level in seen]
    blocks = [_levels(variance, levels)]
    if variance.parts["estimate"].notna().any():
        blocks.append(_parts(variance))
    if len(budget) and budget["median"].notna().any():
        blocks.append(_budget(budget, variance.factor, levels))
    return blocks


def _levels(variance: Variance, levels: Sequence[str]) -> Block:
    frame, factor = variance.by_level, variance.factor
    known = frame[frame["estimate"].notna()]
    told = [f"{row[factor]}, {row['response']}: {text_of(row)}" for row in rows_of(known)]
    alt = f"Share of the variance that the configuration explains, the seed has the rest. {'; '.join(told)}."
    figure = (
        inline_svg(configuration_dots(frame, factor, levels), "configuration-share", alt) if told else None
    )
    by = "" if factor == ALL else f" under each {factor}"
    return Block(
        key="seed-and-configuration",
        question=f"Is it the configuration or the seed{by}?",
        finding=_level_finding(known, frame, factor),
        figure=figure,
        note=LEVEL_NOTE,
        tables=(_level_table(frame, factor, levels),),
        data=frame,
    )


def _level_finding(known: pd.DataFrame, frame: pd.DataFrame, factor: str) -> str:
    if known.empty:
        reasons = dict.fromkeys(bare_reason(reason) for reason in frame["reason"])
        return f"The two cannot be told apart here: {listed(list(reasons))}."
    sentences = []
    for response, rows in known.groupby("response", sort=False):
        verdicts = {
            "more the configuration": list(rows.loc[rows["ci_low"] > 0.5, factor]),
            "more the seed": list(rows.loc[rows["ci_high"] < 0.5, factor]),
        }
        told = [f"{words} for {listed(levels)}" for words, levels in verdicts.items() if levels]
        open_ones = len(rows) - sum(map(len, verdicts.values()))
        if open_ones:
            told.append("cannot be told" + (f" for {plural(open_ones, 'level')}" if told else ""))
        sentences.append(f"{capital(response)}: {', '.join(told)}.")
    return " ".join(sentences)


SIZES = {"n_points": "n_points", "n_runs": "n_runs", "n_left_out": "runs left out"}


def _level_table(frame: pd.DataFrame, factor: str, levels: Sequence[str]) -> Table:
    most = frame.groupby(factor)[list(SIZES)].max()
    found, responses = (
        by_two(frame, factor, "response"),
        {response: response for response in frame["response"]},
    )
    behind = columns(SIZES, lambda name, level: f"{most.loc[level, name]:,}")
    shown = (levels_of(factor), *across(found, responses), *behind)
    return table("Share of the variance that the configuration explains [95% interval]", levels, shown)


def _parts(variance: Variance) -> Block:
    names = part_names(variance.factor)
    known = variance.parts[variance.parts["estimate"].notna()]
    told = [f"{row['response']}, {names[row['part']]}: {text_of(row)}" for row in rows_of(known)]
    alt = f"Bars of the share of the variance that each part explains. {'; '.join(told)}."
    found = by_two(known, "response", "part")
    shown = (Column("", str, is_number=False), *across(found, names), *sizes(found, PARTS[0], **SIZES))
    responses = list(dict.fromkeys(known["response"]))
    return Block(
        key="parts-of-the-variance",
        question=f"How much is the {variance.factor}, how much the rest?",
        finding=_part_finding(known, names),
        figure=inline_svg(part_bars(variance.parts, names), "parts-of-the-variance", alt),
        note=PARTS_NOTE,
        tables=(table("Share of the variance between runs [95% interval]", responses, shown),),
        data=variance.parts,
    )


def part_names(factor: str) -> dict[str, str]:
    """The parts of the variance as the page names them."""
    return dict(zip(PARTS, ("configuration", factor, f"configuration × {factor}", "seed"), strict=True))


def _part_finding(known: pd.DataFrame, names: dict[str, str]) -> str:
    sentences = []
    for response, rows in known.groupby("response", sort=False):
        top = rows_of(rows.sort_values("estimate"))[-1]
        rivals = rows[(rows["part"] != top["part"]) & ~(rows["ci_high"] < top["ci_low"])]
        text = f"{capital(response)}: the largest part is {names[top['part']]}, {text_of(top)}"
        if len(rivals):
            text += f"; its interval overlaps with that of {listed([names[part] for part in rivals['part']])}"
        sentences.append(f"{text}.")
    return " ".join(sentences)


def _budget(budget: pd.DataFrame, factor: str, levels: Sequence[str]) -> Block:
    shown = budget[budget["k"].isin(GLANCES)]
    found, n_points = by_two(shown, factor, "k"), budget.groupby(factor)["n_points"].first()
    tried = {k: plural(k, "point") for k in GLANCES if k in set(shown["k"])}
    across_k = (
        levels_of(factor),
        *columns(tried, lambda k, level: _budget_cell(found.get((level, k)))),
        Column("n_points", lambda level: f"{n_points[level]:,}"),
    )
    told = [
        f"{row[factor]} {number(row['median'])} at {row['k']}" for row in rows_of(shown) if row["k"] in (1, 8)
    ]
    alt = f"Curves of the lowest FID over floor after k points, with bands. Medians: {'; '.join(told)}."
    caption = "Lowest FID / floor after so many points: median [middle 80%]"
    return Block(
        key="best-of-a-budget",
        question="How good is the best of k points?",
        finding=_budget_finding(budget, factor, levels),
        figure=inline_svg(budget_curves(budget, factor, levels), "best-of-a-budget", alt),
        note=BUDGET_NOTE,
        tables=(table(caption, levels, across_k),),
        data=budget,
    )


def _budget_finding(budget: pd.DataFrame, factor: str, levels: Sequence[str]) -> str:
    k = max((k for k in GLANCES if k <= budget["n_points"].min() / 4), default=1)
    here = budget[(budget["k"] == k) & budget["median"].notna()]
    if here.empty:
        return f"With {plural(k, 'point')}, the best would more often than not have no finite FID."
    best = rows_of(here.sort_values("median"))[0]
    under = "" if factor == ALL or len(levels) < 2 else f" under {best[factor]}, the lowest of these levels"
    return (
        f"With {plural(k, 'point')}, the best reaches a FID of {number(best['median'])} {_band(best)} times "
        f"the floor{under} (median and middle 80%)."
    )


def _band(row: Row) -> str:
    return f"[{', '.join('none' if pd.isna(row[name]) else number(row[name]) for name in ('low', 'high'))}]"


def _budget_cell(row: Row | None) -> Cell:
    if row is None:
        return missing("fewer points than that")
    if pd.isna(row["median"]):
        return missing(row["reason"])
    return Cell(number(row["median"]), _band(row), str(row["reason"]))
