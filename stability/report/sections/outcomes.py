"""The page's tables and figures of rates, one block per factor, and its map of all runs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from stability.analysis.maps import MapAxes, map_axes, map_points
from stability.analysis.rates import EVENTS, OUTCOMES, counts_by, rates_by
from stability.report.figures import scatter_map, share_panels
from stability.report.study import ALL, Study
from stability.report.svg import inline_svg
from stability.report.words import NOTHING, interval, listed, plural, share


@dataclass(frozen=True, slots=True)
class Cell:
    """An estimate with its interval, or a plain text."""

    text: str
    detail: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class RateTable:
    """Levels down, events across."""

    caption: str
    events: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...], int, int], ...]
    """Level, one cell an event, n_points, n_runs."""


@dataclass(frozen=True, slots=True)
class ShareBlock:
    """Everything about one factor's rates."""

    factor: str
    question: str
    figure: Markup | None
    outcomes: RateTable
    events: RateTable | None
    data: pd.DataFrame


@dataclass(frozen=True, slots=True)
class MapBlock:
    """The map of all runs."""

    question: str
    figure: Markup
    note: str
    data: pd.DataFrame


def share_blocks(study: Study) -> list[ShareBlock]:
    """A block for every factor, the headline's first; one for all runs where nothing was compared."""
    make = _rates_block if study.estimable else _counts_block
    return [make(study, factor) for factor in study.factors or (ALL,)]


def map_block(study: Study) -> MapBlock | None:
    """The map of runs over two parameters, None where no parameter was drawn from a range."""
    axes = map_axes(study.frames.spec, study.runs)
    if axes is None or study.runs.empty:
        return None
    points = map_points(study.runs, axes)
    columns = list(study.order(axes.column)) if axes.column is not None else [""]
    rows = sorted(set(points["row"]))
    figure = scatter_map(points, axes, columns, rows, study.outcomes)
    counts = study.runs["outcome"].value_counts()
    seen = ", ".join(f"{counts[outcome]} {outcome}" for outcome in study.outcomes)
    where = _panels_text(axes)
    alt = f"Scatter map of {axes.y} against {axes.x}{where}, one marker a run, by outcome: {seen}."
    data = study.runs[["run", axes.x, axes.y, *_factors_of(axes), "outcome"]]
    over = axes.x if axes.y == "replicate" else f"{axes.x} and {axes.y}"
    question = f"Where, over {over}, do runs end stable?"
    return MapBlock(question, inline_svg(figure, "map", alt), _map_note(study, axes), data)


def rate_table(
    rates: pd.DataFrame, factor: str, levels: Sequence[str], events: Sequence[str], caption: str
) -> RateTable:
    """Arrange finished rates, levels in the order given."""
    rows = []
    for level in levels:
        here = {row["event"]: row for row in rates[rates[factor] == level].to_dict("records")}
        cells = tuple(_cell(here[event]) for event in events)
        first = here[events[0]]
        rows.append((level, cells, int(first["n_points"]), int(first["n_runs"])))
    return RateTable(caption, tuple(events), tuple(rows))


def _rates_block(study: Study, factor: str) -> ShareBlock:
    levels = study.order(factor)
    rates = rates_by(study.runs, factor, [*OUTCOMES, *EVENTS])
    ordered = [*study.outcomes, *(event for event in OUTCOMES if event not in study.outcomes)]
    figure = share_panels(rates, factor, levels, study.outcomes)
    by = "" if factor == ALL else f", by {factor}"
    alt = f"Share of runs with each outcome{by}, as dots with 95% intervals. {_spoken(rates, factor, levels)}"
    return ShareBlock(
        factor,
        "How do runs end?" if factor == ALL else f"How do runs end under each {factor}?",
        inline_svg(figure, f"shares-{study.factors.index(factor) if factor != ALL else 0}", alt),
        rate_table(rates, factor, levels, ordered, f"Share of runs with each outcome [95% interval]{by}"),
        rate_table(
            rates, factor, levels, EVENTS, f"Share of runs in which something happened [95% interval]{by}"
        ),
        rates,
    )


def _counts_block(study: Study, factor: str) -> ShareBlock:
    levels, counts = study.order(factor), counts_by(study.runs, factor)
    found = {(row[factor], row["outcome"]): int(row["runs"]) for row in counts.to_dict("records")}
    rows = []
    for level in levels:
        here = [found.get((level, outcome), 0) for outcome in study.outcomes]
        n_points = study.runs.loc[study.runs[factor] == level, "point"].nunique()
        rows.append((level, tuple(Cell(f"{n}") for n in here), n_points, sum(here)))
    by = "" if factor == ALL else f", by {factor}"
    caption = f"Number of runs with each outcome{by}: counts of a search, not rates"
    question = f"What did the search find{'' if factor == ALL else f' under each {factor}'}?"
    return ShareBlock(factor, question, None, RateTable(caption, study.outcomes, tuple(rows)), None, counts)


def _cell(row: dict[Hashable, Any]) -> Cell:
    if pd.isna(row["estimate"]):
        return Cell(NOTHING, "", str(row["reason"]))
    return Cell(share(row["estimate"]), interval(row["ci_low"], row["ci_high"]), str(row["reason"]))


def _spoken(rates: pd.DataFrame, factor: str, levels: Sequence[str]) -> str:
    stable = {row[factor]: row for row in rates[rates["event"] == "stable"].to_dict("records")}
    texts = [
        f"{level} {share(row['estimate'])} {interval(row['ci_low'], row['ci_high'])}"
        for level, row in ((level, stable[level]) for level in levels)
    ]
    return f"Stable: {'; '.join(texts)}."


def _factors_of(axes: MapAxes) -> list[str]:
    return [*([axes.column] if axes.column is not None else []), *axes.rows]


def _panels_text(axes: MapAxes) -> str:
    return f", a panel for each {listed(_factors_of(axes))}" if _factors_of(axes) else ""


def _map_note(study: Study, axes: MapAxes) -> str:
    parts = ["One marker a run."]
    if study.frames.spec.design.seeds > 1 and axes.y != "replicate":
        parts.append("Seeds of one point stand side by side.")
    hidden = [name for name in study.varied if name not in {axes.x, axes.y, *_factors_of(axes)}]
    if hidden:
        parts.append(f"{listed(hidden)} also {'varies' if len(hidden) == 1 else 'vary'}, unseen.")
    n_missing = int(study.runs[[axes.x, axes.y]].isna().any(axis=1).sum())
    if n_missing:
        parts.append(f"{plural(n_missing, 'run')} without a value cannot be shown.")
    return " ".join(parts)
