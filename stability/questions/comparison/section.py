"""Which levels can be told apart: differences of pairs with intervals, and the points behind them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from stability.page_kit.blocks import Block
from stability.page_kit.estimate import Cell, Row, rows_of, text_of
from stability.page_kit.svg import inline_svg
from stability.page_kit.tables import SIZES, Column, Table, columns, estimated, table, texts
from stability.page_kit.words import (
    capital,
    joined,
    listed,
    number,
    p_text,
    plural,
    share,
    signed,
    slug,
    spaced,
)
from stability.questions.comparison.estimate import LOWER_FID, Comparison
from stability.questions.comparison.figure import forest
from stability.reading.factors import Unit
from stability.reading.study import Study
from stability.statistics.paired_tests import FEW_POINTS
from stability.statistics.rates import SUCCESS

EVENT_WORDS = {
    SUCCESS: "succeed",
    "collapse_ever": "collapse at some time after being good",
    "saturation_ever": "saturate at some time",
    LOWER_FID: "end with the lower FID",
}
"""What runs do, after `runs`."""

ALPHA = 0.05

_WIDENED = f"Where fewer than {FEW_POINTS} points stand out, intervals are widened by Wilson’s."

RANKED = (
    "Of two runs with the same point and seed the one counts whose FID at the end is lower, by however "
    "little; that of a run that diverged is the highest. {family} (with one seed Clopper and Pearson’s). "
    "Full dots: p at most .05, by the sign test and after Holm’s correction."
)

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
    finding = joined(*parts)
    against = comparison.baseline
    name = f"difference in the share of runs that {words}: first − {against or 'second'}"
    figure = None if _all_alike(comparison) or pairs["estimate"].isna().all() else forest(pairs, name)
    alt = f"Forest plot of the {name}, with intervals. {finding}"
    key = f"differences-{slug(comparison.event)}"
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
        f"{row['first']} more often than under {row['second']} ({text_of(row, signed)})"
        for row in rows_of(apart.head(MOST_NAMED))
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
        + listed([f"{row['first']} ({text_of(row, signed)})" for row in rows_of(those)])
        for how, those in sides.items()
        if len(those)
    ]
    n_rest = len(pairs) - len(apart)
    if not told:
        return f"None of {n_rest} can be told apart from {baseline} with these {unit}s."
    rest = f"; {n_rest} of {len(pairs)} cannot be told apart from it" if n_rest else ""
    return capital("; ".join(told) + rest + ".")


def _overall(comparison: Comparison, unit: Unit) -> str:
    found, n_levels = comparison.overall, len(comparison.levels)
    paired = comparison.crossed and comparison.baseline is None
    if n_levels < 3 or not paired or _all_alike(comparison) or comparison.event == LOWER_FID:
        return ""
    if found.reason:
        return f"All {n_levels} at once: {found.reason}."
    verdict = "are not all equal" if found.p <= ALPHA else "may all be equal"
    return (
        f"All {n_levels} at once: the shares {verdict} (Hotelling’s T² {number(found.statistic)}, "
        f"F({found.df[0]}, {found.df[1]}) {number(found.f)}, p {p_text(found.p)}, "
        f"{plural(found.n_points, unit)})."
    )


def _same_runs(counted: pd.DataFrame) -> str:
    """Which levels were the same run, in one sentence; empty where none were."""
    known = counted[counted["n_half"] > 0].sort_values("n_half", ascending=False, kind="stable")
    named = [
        f"{row['first']} and {row['second']} in {row['n_same']:,} of {plural(row['n_pairs'], 'pair')}"
        + (f" (in {n:,} more until half-way)" if (n := row["n_half"] - row["n_same"]) else "")
        for row in rows_of(known)
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
    if comparison.event == LOWER_FID:
        parts = [RANKED.format(family=family)]
    missing = comparison.n_points - comparison.overall.n_points
    if missing:
        parts.append(
            f"{plural(missing, 'point')} of {comparison.n_points:,} without finished runs of every level: a "
            "pair rests on the points that have both."
        )
    return " ".join(parts)


def _pair_table(pairs: pd.DataFrame, comparison: Comparison, words: str) -> Table:
    crossed = comparison.crossed
    columns = (
        Column("pair", lambda row: f"{row['first']} − {row['second']}", is_number=False),
        estimated("difference", signed),
        Column("p (Holm)", lambda row: Cell(p_text(row["p_holm"]), "", _if_missing(row["p_holm"], row))),
        Column("p (sign flip)" if crossed else "p (shuffle)", lambda row: p_text(row["p_permutation"])),
        *([Column("points that disagree", _disagreement, is_number=False)] if crossed else []),
        *SIZES,
    )
    caption = f"Differences in the share of runs that {words}, by pairs of {comparison.factor}"
    return table(caption, rows_of(pairs), columns)


def _if_missing(value: float, row: Row) -> str:
    return str(row["reason"]) if pd.isna(value) else ""


def _point_tables(study: Study, comparison: Comparison) -> tuple[Table, ...]:
    """The points where two levels differ most; none where nothing is crossed."""
    points = comparison.disagreements
    if points.empty:
        return ()
    apart = points["share_first"].sub(points["share_second"]).abs()
    shown = points.loc[apart.sort_values(ascending=False, kind="stable").index[:MOST_ROWS]]
    varied = {name: name for name in points.columns[5:] if name in study.varied}
    shown_columns = (
        *texts(point="point"),
        Column("share", lambda row: f"{row['first']} {share(row['share_first'])}", is_number=False),
        Column("against", lambda row: f"{row['second']} {share(row['share_second'])}", is_number=False),
        *columns(varied, lambda name, row: number(row[name])),
    )
    folded = f"Where pairs disagree: {plural(points['point'].nunique(), 'point')}"
    cut = f"the {MOST_ROWS} largest of {len(points):,} differences; the CSV has all"
    caption = (
        f"Points where pairs disagree, {cut if len(points) > MOST_ROWS else 'the largest differences first'}"
    )
    key = f"disagreements-{slug(comparison.event)}"
    return (table(caption, rows_of(shown), shown_columns, folded, key),)


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


def _disagreement(row: Row) -> str:
    among = f"{row['n_disagree']:,} of {row['n_points']:,}"
    return f"{among}: {row['n_first']:,} to {row['n_second']:,}" if row["n_disagree"] else among


def _words(event: str) -> str:
    return EVENT_WORDS.get(event, f"have {spaced(event)}")
