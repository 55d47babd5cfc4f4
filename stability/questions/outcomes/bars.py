"""How runs ended under each level of the main factor: one stacked bar a level. Draws finished estimates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from stability.page_kit.estimate import Estimate, rows_of
from stability.page_kit.palette import LOOKS, text_on
from stability.page_kit.words import listed, percent, plural
from stability.questions.all import Estimates
from stability.reading.study import ALL
from stability.records import SUCCESSES, Outcome
from stability.statistics.rates import SUCCESS

WIDE = 0.07
"""A segment at least this wide has its share written into it."""

NAMED = (SUCCESS, Outcome.COLLAPSED, Outcome.PARTIAL_COLLAPSE, Outcome.SATURATED)
"""What has its rate beside the bars: where it happened, and ..."""
ALWAYS = (SUCCESS, Outcome.COLLAPSED, Outcome.SATURATED)
"""... this in any case."""
OVER = {"point": "settings that were sampled", "seed": "seeds of what was trained"}


@dataclass(frozen=True, slots=True)
class Segment:
    """One outcome's part of a bar."""

    outcome: str
    width: str
    """As CSS takes it."""
    colour: str
    ink: str
    """The colour of the text in it."""
    text: str
    title: str


@dataclass(frozen=True, slots=True)
class Bar:
    """The bar of one level."""

    level: str
    spoken: str
    segments: tuple[Segment, ...]
    rates: tuple[str, ...]
    """One text for each of what is named above the bars."""


@dataclass(frozen=True, slots=True)
class Bars:
    """All bars of a factor."""

    title: str
    named: tuple[str, ...]
    """What has its rate beside the bars."""
    bars: tuple[Bar, ...]
    note: str


def outcome_bars(estimates: Estimates) -> Bars:
    """How the runs ended under each level, the most successful first; counts where there is no rate."""
    study, factor = estimates.study, estimates.factor
    rates, counts = estimates.rates.get(factor), estimates.counts[factor]
    seen = [outcome for outcome in LOOKS if outcome in study.outcomes]
    named = tuple(name for name in NAMED if name in ALWAYS or name in seen)
    bars = []
    for level in study.order(factor):
        shown = _counts_of(counts, factor, level)
        total = sum(shown.values())
        shown[SUCCESS] = sum(shown.get(outcome, 0) for outcome in SUCCESSES)
        cells = tuple(f"{shown.get(name, 0)} of {total:,}" for name in named)
        if rates is not None:
            of_level = {row["event"]: Estimate.of(row) for row in rows_of(rates[rates[factor] == level])}
            shown = {name: of_level[name].count for name in seen}
            cells = tuple(_rate(of_level[name]) for name in named)
        bars.append(_bar(level, {name: shown.get(name, 0) for name in seen}, cells))
    by = "" if factor == ALL else f" under each {factor}"
    note = "Counts, not rates."
    if rates is not None:
        note = f"Share of the runs; in brackets what it may be over all {OVER[study.unit]} (95% interval)."
    return Bars(f"How the runs ended{by}", named, tuple(bars), note)


def _counts_of(counts: pd.DataFrame, factor: str, level: str) -> dict[str, int]:
    here = counts[counts[factor] == level]
    return dict(zip(here["outcome"].astype(str), here["runs"].astype(int), strict=True))


def _rate(rate: Estimate) -> str:
    return f"{rate.count} of {rate.n_runs:,}" if math.isnan(rate.ci_low) else rate.percent()


def _bar(level: str, counts: Mapping[str, int], rates: tuple[str, ...]) -> Bar:
    n_runs = sum(counts.values())
    segments = []
    for outcome, count in counts.items():
        if count:
            part, colour = count / n_runs, LOOKS[outcome].colour
            title = f"{outcome}: {count:,} of {plural(n_runs, 'run')}, {percent(part)}"
            text = percent(part) if part >= WIDE else ""
            segments.append(Segment(outcome, f"{100 * part:.3f}%", colour, text_on(colour), text, title))
    spoken = listed([f"{count:,} {outcome}" for outcome, count in counts.items() if count])
    return Bar(level, f"{level}: {spoken} of {plural(n_runs, 'run')}", tuple(segments), rates)
