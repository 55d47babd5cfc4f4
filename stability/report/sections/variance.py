"""Seed against configuration: what each explains, and what a budget of points would have found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from stability.analysis.study import ALL, Study
from stability.analysis.variance import PARTS, Variance
from stability.report.blocks import Block, Cell, Head, Table
from stability.report.figures.variance import budget_curves, configuration_dots, part_bars
from stability.report.svg import inline_svg
from stability.report.words import NOTHING, interval, listed, number, plural, share

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
    levels = [
        level for level in study.order(variance.factor) if level in set(variance.by_level[variance.factor])
    ]
    blocks = [_levels(variance, levels)]
    if variance.parts["estimate"].notna().any():
        blocks.append(_parts(variance))
    if len(budget) and budget["median"].notna().any():
        blocks.append(_budget(budget, variance.factor, levels))
    return blocks


def _levels(variance: Variance, levels: Sequence[str]) -> Block:
    frame, factor = variance.by_level, variance.factor
    known = frame[frame["estimate"].notna()]
    told = [f"{row[factor]}, {row['response']}: {_estimate(row)}" for row in _rows(known)]
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
        reasons = listed(
            list(dict.fromkeys(str(reason).removeprefix("not estimable: ") for reason in frame["reason"]))
        )
        return f"The two cannot be told apart here: {reasons}."
    sentences = []
    for response, rows in known.groupby("response", sort=False):
        bounded = rows[rows["ci_low"].notna()]
        verdicts = {
            "more the configuration": bounded[bounded["ci_low"] > 0.5],
            "more the seed": bounded[bounded["ci_high"] < 0.5],
        }
        told = [
            f"{words} for {listed([str(level) for level in found[factor]])}"
            for words, found in verdicts.items()
            if len(found)
        ]
        open_ones = len(rows) - sum(len(found) for found in verdicts.values())
        if open_ones:
            told.append("cannot be told" + (f" for {plural(open_ones, 'level')}" if told else ""))
        sentences.append(f"{_capital(response)}: {', '.join(told)}.")
    return " ".join(sentences)


def _level_table(frame: pd.DataFrame, factor: str, levels: Sequence[str]) -> Table:
    responses = list(dict.fromkeys(frame["response"]))
    found = {(row[factor], row["response"]): row for row in _rows(frame)}
    rows = []
    for level in levels:
        here = [found[level, response] for response in responses]
        left = max(int(row["n_left_out"]) for row in here)
        sizes = (
            f"{max(row['n_points'] for row in here):,}",
            f"{max(row['n_runs'] for row in here):,}",
            f"{left:,}",
        )
        rows.append((Cell(level), *(_cell(row) for row in here), *(Cell(size) for size in sizes)))
    heads = (
        Head("" if factor == ALL else factor, is_number=False),
        *(Head(response, is_number=False) for response in responses),
        Head("n_points"),
        Head("n_runs"),
        Head("runs left out"),
    )
    return Table("Share of the variance that the configuration explains [95% interval]", heads, tuple(rows))


def _parts(variance: Variance) -> Block:
    names = part_names(variance.factor)
    known = variance.parts[variance.parts["estimate"].notna()]
    told = [f"{row['response']}, {names[row['part']]}: {_estimate(row)}" for row in _rows(known)]
    alt = f"Bars of the share of the variance that each part explains. {'; '.join(told)}."
    responses = list(dict.fromkeys(known["response"]))
    found = {(row["response"], row["part"]): row for row in _rows(known)}
    rows = []
    for response in responses:
        first = found[response, PARTS[0]]
        sizes = (
            Cell(f"{first['n_points']:,}"),
            Cell(f"{first['n_runs']:,}"),
            Cell(f"{first['n_left_out']:,}"),
        )
        rows.append((Cell(response), *(_cell(found[response, part]) for part in PARTS), *sizes))
    heads = (
        Head("", is_number=False),
        *(Head(names[part], is_number=False) for part in PARTS),
        Head("n_points"),
        Head("n_runs"),
        Head("runs left out"),
    )
    return Block(
        key="parts-of-the-variance",
        question=f"How much is the {variance.factor}, how much the rest?",
        finding=_part_finding(known, names),
        figure=inline_svg(part_bars(variance.parts, names), "parts-of-the-variance", alt),
        note=PARTS_NOTE,
        tables=(Table("Share of the variance between runs [95% interval]", heads, tuple(rows)),),
        data=variance.parts,
    )


def part_names(factor: str) -> dict[str, str]:
    """The parts of the variance as the page names them."""
    return dict(zip(PARTS, ("configuration", factor, f"configuration × {factor}", "seed"), strict=True))


def _part_finding(known: pd.DataFrame, names: dict[str, str]) -> str:
    sentences = []
    for response, rows in known.groupby("response", sort=False):
        top = rows.sort_values("estimate").iloc[-1]
        others = rows[rows["part"] != top["part"]]
        rivals = others[~(others["ci_high"] < top["ci_low"])]
        text = f"{_capital(response)}: the largest part is {names[top['part']]}, {_estimate(top)}"
        if len(rivals):
            text += f"; its interval overlaps with that of {listed([names[part] for part in rivals['part']])}"
        sentences.append(f"{text}.")
    return " ".join(sentences)


def _budget(budget: pd.DataFrame, factor: str, levels: Sequence[str]) -> Block:
    shown = budget[budget["k"].isin(GLANCES)]
    found = {(row[factor], row["k"]): row for row in _rows(shown)}
    sizes = [k for k in GLANCES if k in set(shown["k"])]
    rows = tuple(
        (
            Cell(level),
            *(_budget_cell(found.get((level, k))) for k in sizes),
            Cell(f"{int(budget.loc[budget[factor] == level, 'n_points'].iloc[0]):,}"),
        )
        for level in levels
    )
    first = Head("" if factor == ALL else factor, is_number=False)
    heads = (first, *(Head(plural(k, "point"), is_number=False) for k in sizes), Head("n_points"))
    told = [
        f"{row[factor]} {number(float(row['median']))} at {row['k']}"
        for row in _rows(shown)
        if row["k"] in (1, 8)
    ]
    alt = f"Curves of the lowest FID over floor after k points, with bands. Medians: {'; '.join(told)}."
    caption = "Lowest FID / floor after so many points: median [middle 80%]"
    return Block(
        key="best-of-a-budget",
        question="How good is the best of k points?",
        finding=_budget_finding(budget, factor, levels),
        figure=inline_svg(budget_curves(budget, factor, levels), "best-of-a-budget", alt),
        note=BUDGET_NOTE,
        tables=(Table(caption, heads, rows),),
        data=budget,
    )


def _budget_finding(budget: pd.DataFrame, factor: str, levels: Sequence[str]) -> str:
    k = max((k for k in GLANCES if k <= budget["n_points"].min() / 4), default=1)
    here = budget[(budget["k"] == k) & budget["median"].notna()]
    if here.empty:
        return f"With {plural(k, 'point')}, the best would more often than not have no finite FID."
    best = here.sort_values("median").iloc[0]
    under = "" if factor == ALL or len(levels) < 2 else f" under {best[factor]}, the lowest of these levels"
    return (
        f"With {plural(k, 'point')}, the best reaches a FID of {_band(best)} times the floor{under} "
        "(median and middle 80%)."
    )


def _band(row: Any) -> str:
    ends = [number(float(row[name])) if pd.notna(row[name]) else "none" for name in ("low", "high")]
    return f"{number(float(row['median']))} [{', '.join(ends)}]"


def _budget_cell(row: Any) -> Cell:
    if row is None:
        return Cell(NOTHING, "", "fewer points than that")
    if pd.isna(row["median"]):
        return Cell(NOTHING, "", str(row["reason"]))
    text, _, bounds = _band(row).partition(" ")
    return Cell(text, bounds, str(row["reason"]))


def _rows(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    return frame.to_dict("records")


def _estimate(row: Any) -> str:
    return f"{share(float(row['estimate']))} {interval(float(row['ci_low']), float(row['ci_high']))}"


def _cell(row: Any) -> Cell:
    if pd.isna(row["estimate"]):
        return Cell(NOTHING, "", str(row["reason"]))
    return Cell(
        share(float(row["estimate"])),
        interval(float(row["ci_low"]), float(row["ci_high"])),
        str(row["reason"]),
    )


def _capital(text: Any) -> str:
    return f"{str(text)[0].upper()}{str(text)[1:]}"
