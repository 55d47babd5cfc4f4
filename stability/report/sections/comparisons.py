"""Which levels can be told apart: differences of pairs with intervals, and the points behind them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from stability.analysis.comparisons import Comparison
from stability.analysis.differences import FEW_POINTS
from stability.analysis.factors import Unit
from stability.analysis.rates import SUCCESS
from stability.analysis.study import Study
from stability.report.blocks import Block, Cell, Head, Table
from stability.report.figures.forest import forest, signed
from stability.report.svg import inline_svg
from stability.report.words import NOTHING, listed, number, plural, share

EVENT_WORDS = {
    SUCCESS: "succeed",
    "collapse_ever": "collapse at some time after being good",
    "saturation_ever": "saturate at some time",
}
"""What runs do, after `runs`."""

ALPHA = 0.05

_WIDENED = f"Where fewer than {FEW_POINTS} points stand out, intervals are widened by Wilson’s."

MOST_NAMED = 4
"""A finding names no more pairs than this."""

MOST_ROWS = 40
"""The page lists no more points than this; the CSV lists all."""


def comparisons_blocks(
    study: Study, comparisons: Sequence[Comparison], same_runs: pd.DataFrame
) -> list[Block]:
    """A block for every event that was compared between at least two levels.

    The first one says how often two levels trained the very same run, as `same_runs` has counted.
    """
    compared = [comparison for comparison in comparisons if len(comparison.pairs)]
    said = [_same_runs(same_runs), *("" for _ in compared[1:])]
    return [_block(study, comparison, same) for comparison, same in zip(compared, said, strict=False)]


def _block(study: Study, comparison: Comparison, same: str) -> Block:
    pairs, words = comparison.ranked, _words(comparison.event)
    unit = study.unit
    parts = (_finding(comparison, pairs, words, unit), _overall(comparison, unit), same)
    finding = " ".join(part for part in parts if part)
    against = comparison.baseline
    name = f"difference in the share of runs that {words}: first − {against or 'second'}"
    figure = None if _all_alike(comparison) or pairs["estimate"].isna().all() else forest(pairs, name)
    alt = f"Forest plot of the {name}, with intervals. {finding}"
    key = f"differences-{comparison.event.replace('_', '-')}"
    return Block(
        key=key,
        question=f"Do runs {words} more often under one {comparison.factor} than under another?"
        if against is None
        else f"Does it help? Which {comparison.factor} makes runs {words} more or less often than {against}?",
        finding=finding,
        figure=inline_svg(figure, key, alt) if figure is not None else None,
        note=_note(comparison, unit),
        tables=(_pair_table(pairs, comparison, words), *_point_tables(study, comparison)),
        data=_data(comparison),
    )


def _finding(comparison: Comparison, pairs: pd.DataFrame, words: str, unit: Unit) -> str:
    apart = pairs[pairs["p_holm"] <= ALPHA]
    if pairs["estimate"].isna().all():
        return f"Differences are {pairs['reason'].iloc[0]}."
    if _all_alike(comparison):
        return f"At every {unit} all have the same share: there is no difference to see."
    if comparison.baseline is not None:
        return _finding_against(comparison.baseline, pairs, words, unit)
    if apart.empty:
        both = "the two" if len(pairs) == 1 else "any two"
        return f"No difference is large enough for these {unit}s: {both} cannot be told apart."
    named = [
        f"{row.first} more often than under {row.second} ({signed(row.estimate)} {_signed_interval(row)})"
        for row in _rows(apart.head(MOST_NAMED))
    ]
    told = f"{len(apart)} of {plural(len(pairs), 'pair')} can be told apart: runs {words} under "
    more = f", and {len(apart) - MOST_NAMED} more below" if len(apart) > MOST_NAMED else ""
    return f"{told}{listed(named)}{more}."


def _finding_against(baseline: str, pairs: pd.DataFrame, words: str, unit: Unit) -> str:
    """Which levels are told apart from the baseline, on either side of it."""
    apart = pairs[pairs["p_holm"] <= ALPHA]
    sides = {"more": apart[apart["estimate"] > 0], "less": apart[apart["estimate"] < 0][::-1]}
    told = [
        f"runs {words} {how} often than under {baseline} with "
        + listed([f"{row.first} ({signed(row.estimate)} {_signed_interval(row)})" for row in _rows(those)])
        for how, those in sides.items()
        if len(those)
    ]
    n_rest = len(pairs) - len(apart)
    if not told:
        return f"None of {n_rest} can be told apart from {baseline} with these {unit}s."
    rest = f"; {n_rest} of {len(pairs)} cannot be told apart from it" if n_rest else ""
    text = "; ".join(told) + rest + "."
    return text[0].upper() + text[1:]


def _overall(comparison: Comparison, unit: Unit) -> str:
    found, n_levels = comparison.overall, len(comparison.levels)
    if n_levels < 3 or not comparison.crossed or comparison.baseline is not None:
        return ""
    if _all_alike(comparison):
        return ""
    if math.isnan(found.p):
        return f"All {n_levels} at once: {found.reason}."
    verdict = "are not all equal" if found.p <= ALPHA else "may all be equal"
    return (
        f"All {n_levels} at once: the shares {verdict} (Hotelling’s T² {number(found.statistic)}, "
        f"F({found.df[0]}, {found.df[1]}) {number(found.f)}, p {p_text(found.p)}, "
        f"{plural(found.n_points, unit)})."
    )


def _same_runs(counted: pd.DataFrame) -> str:
    """Which levels were the same run, in one sentence; empty where none were."""
    named = [
        f"{row.first} and {row.second} in {row.n_same:,} of {plural(row.n_pairs, 'pair')}"
        + (f" (in {row.n_half - row.n_same:,} more until half-way)" if row.n_half > row.n_same else "")
        for row in _rows(counted[counted["n_half"] > 0].sort_values("n_half", ascending=False, kind="stable"))
    ]
    if not named:
        return ""
    more = f", and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    return (
        "Some runs of a point and seed are one and the same to the last bit, so that nothing can differ: "
        f"{listed(named[:MOST_NAMED])}{more}."
    )


def _note(comparison: Comparison, unit: Unit) -> str:
    n_pairs, percent = len(comparison.pairs), f"{comparison.confidence:.0%}"
    one = "pairs" if comparison.baseline is None else f"comparisons with {comparison.baseline}"
    family = (
        f"Intervals hold for all {n_pairs} {one} at once with {percent} (Bonferroni)"
        if n_pairs > 1
        else f"{percent} interval"
    )
    holm = "Full dots: p at most .05 after Holm’s correction, which tells apart a little more than intervals."
    if not comparison.crossed:
        return (
            f"{family}: Welch’s t on the points’ shares, since every point has one level only. {_WIDENED} "
            f"{holm} The shuffle p-value deals the levels to the points at random; where few points stand "
            "out it counts if it is the larger one. Levels are compared over the same values of crossed "
            "factors."
        )
    paired = (
        "within points, seeds averaged"
        if unit == "point"
        else "within seeds (points below are seeds), which says nothing of other settings"
    )
    parts = [
        f"{family}: Student’s t on the differences {paired}. {_WIDENED} {holm} The "
        "sign-flip p-value does not assume how the differences are distributed; it stands in where all "
        "points differ by the same amount."
    ]
    missing = comparison.n_points - comparison.overall.n_points
    if missing:
        parts.append(
            f"{plural(missing, 'point')} of {comparison.n_points:,} without finished runs of every level: a "
            "pair rests on the points that have both."
        )
    return " ".join(parts)


def _pair_table(pairs: pd.DataFrame, comparison: Comparison, words: str) -> Table:
    heads = [
        Head("pair", is_number=False),
        Head("difference"),
        Head("p (Holm)"),
        Head("p (sign flip)" if comparison.crossed else "p (shuffle)"),
        *([Head("points that disagree", is_number=False)] if comparison.crossed else []),
        Head("n_points"),
        Head("n_runs"),
    ]
    rows = []
    for row in _rows(pairs):
        cells = [
            Cell(f"{row.first} − {row.second}"),
            _difference_cell(row),
            Cell(p_text(row.p_holm), title="" if row.p_holm == row.p_holm else row.reason),
            Cell(p_text(row.p_permutation)),
            *([Cell(_disagreement(row))] if comparison.crossed else []),
            Cell(f"{row.n_points:,}"),
            Cell(f"{row.n_runs:,}"),
        ]
        rows.append(tuple(cells))
    caption = f"Differences in the share of runs that {words}, by pairs of {comparison.factor}"
    return Table(caption, tuple(heads), tuple(rows))


def _point_tables(study: Study, comparison: Comparison) -> tuple[Table, ...]:
    """The points where two levels differ most; none where nothing is crossed."""
    points = comparison.disagreements
    if points.empty:
        return ()
    sizes = (points["share_first"] - points["share_second"]).abs()
    shown = points.loc[sizes.sort_values(ascending=False, kind="stable").index[:MOST_ROWS]]
    varied = [name for name in points.columns[5:] if name in study.varied]
    rows = [
        (
            Cell(f"{row['point']}"),
            Cell(f"{row['first']} {share(row['share_first'])}"),
            Cell(f"{row['second']} {share(row['share_second'])}"),
            *(Cell(number(row[name])) for name in varied),
        )
        for row in shown.to_dict("records")
    ]
    heads = [Head("point", is_number=False), *(Head(text, is_number=False) for text in ("share", "against"))]
    folded = f"Where pairs disagree: {plural(points['point'].nunique(), 'point')}"
    cut = f"the {MOST_ROWS} largest of {len(points):,} differences; the CSV has all"
    caption = (
        f"Points where pairs disagree, {cut if len(points) > MOST_ROWS else 'the largest differences first'}"
    )
    return (Table(caption, (*heads, *(Head(name) for name in varied)), tuple(rows), folded),)


def _data(comparison: Comparison) -> pd.DataFrame:
    """One row a pair, repeated for every point where the two disagree."""
    pairs = comparison.pairs.assign(event=comparison.event)
    return pairs.merge(
        comparison.disagreements.astype({"point": "Int64"}), on=["first", "second"], how="left"
    )


def _all_alike(comparison: Comparison) -> bool:
    """Whether every point has the same share under all levels."""
    pairs = comparison.pairs
    return comparison.crossed and bool(((pairs["n_disagree"] == 0) & (pairs["n_points"] > 1)).all())


def _rows(frame: pd.DataFrame) -> list[Any]:
    return list(frame.itertuples())


def _difference_cell(row: Any) -> Cell:
    if math.isnan(row.estimate):
        return Cell(NOTHING, title=row.reason)
    detail = _signed_interval(row) if not math.isnan(row.ci_low) else ""
    return Cell(signed(row.estimate), detail, row.reason)


def _disagreement(row: Any) -> str:
    if not row.n_disagree:
        return f"0 of {row.n_points:,}"
    return f"{row.n_disagree:,} of {row.n_points:,}: {row.n_first:,} to {row.n_second:,}"


def _signed_interval(row: Any) -> str:
    return f"[{signed(row.ci_low)}, {signed(row.ci_high)}]"


def _words(event: str) -> str:
    return EVENT_WORDS.get(event, f"have {event.replace('_', ' ')}")


def p_text(p: float) -> str:
    """A p-value with three digits, as in `.032`."""
    if math.isnan(p):
        return NOTHING
    return "<.001" if p < 0.001 else "1" if p > 0.9995 else f"{p:.3f}".lstrip("0")
