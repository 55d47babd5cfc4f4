"""Which levels of a factor differ in how often something happens: pair by pair, and all at once.

Or many to one: each level against a baseline, and then the family is these comparisons alone.

Frame in, frame out; imports no torch and no optuna.

The unit is the point. Where every point trains every level, a level's runs at a point (its seeds and the
levels of other crossed factors) are averaged and compared within points: tests on pooled runs take them for
independent and reject true nulls several times too often. Intervals hold for the whole family of pairs of
one event (Bonferroni), p-values are Holm's. Levels that stand at different points are compared by the
points' shares, averaged over the same values of the crossed factors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stability.questions.question import seeded
from stability.reading.factors import baseline, crossed_factors, level_text
from stability.reading.study import Study
from stability.records import Outcome
from stability.spec.study import CONFIGURATION
from stability.statistics.paired_tests import (
    Difference,
    Overall,
    holm,
    hotelling,
    no_overall,
    paired_t,
    shuffle,
    sign_flip,
    sign_test,
    welch_t,
)
from stability.statistics.rates import SUCCESS, designed, indicator

PAIR_COLUMNS = (
    "first",
    "second",
    "estimate",
    "ci_low",
    "ci_high",
    "p",
    "p_holm",
    "p_permutation",
    "n_points",
    "n_runs",
    "n_disagree",
    "n_first",
    "n_second",
    "reason",
)

_TURNED = {
    "first": "second",
    "second": "first",
    "ci_low": "ci_high",
    "ci_high": "ci_low",
    "n_first": "n_second",
    "n_second": "n_first",
}


@dataclass(frozen=True, slots=True)
class Family:
    """The pairs whose intervals and p-values hold together."""

    baseline: str | None = None
    """The level that all others are compared with; None for all pairs."""
    confidence: float = 0.95


@dataclass(frozen=True)
class Comparison:
    """One event compared between all levels of a factor."""

    factor: str
    event: str
    crossed: bool
    confidence: float
    """Of all intervals together."""
    levels: tuple[str, ...]
    """As text, in their order of appearance; pairs are named in this order."""
    baseline: str | None
    """The level that all others are compared with, as the second of each pair; None for all pairs."""
    n_points: int
    """Points with any run at all."""
    pairs: pd.DataFrame
    """One row a pair, PAIR_COLUMNS. `estimate` is the first level's share minus the second's, in [-1, 1].
    `n_disagree` counts the points where the two differ: at `n_first` the first is higher, at `n_second` the
    second; they are 0 where nothing is crossed. `p_permutation` flips the signs of the points'
    differences, or shuffles the levels between points where nothing is crossed."""
    overall: Overall
    disagreements: pd.DataFrame
    """One row for a pair and a point where they differ: point, first, second, share_first, share_second and
    the varied parameters of the point."""

    @property
    def ranked(self) -> pd.DataFrame:
        """The pairs turned so that no estimate is negative, the largest first, inestimable ones last.

        Against a baseline none is turned.
        """
        if self.baseline is not None:
            return self.pairs.sort_values("estimate", ascending=False, kind="stable").reset_index(drop=True)
        turned = self.pairs.rename(columns=_TURNED)
        turned = turned.assign(**{name: -turned[name] for name in ("estimate", "ci_low", "ci_high")})
        upright = self.pairs.where(~(self.pairs["estimate"] < 0), turned)
        return upright.sort_values("estimate", ascending=False, kind="stable").reset_index(drop=True)


ALL_PAIRS = Family()

LOWER_FID = "lower_fid"
"""That of two runs with the same point and seed this one ends with the lower FID."""

COMPARED = (SUCCESS, "collapse_ever", "saturation_ever", LOWER_FID)
"""What the levels of the main factor are compared by, pair by pair; by the FID where they are crossed
and no run was stopped early, before its FID was known."""


def comparisons(study: Study) -> tuple[Comparison, ...]:
    """Of the main factor, by each of COMPARED; of configurations none, since each is a single point."""
    factor = study.factors[0]
    if factor == CONFIGURATION:
        return ()
    crossed, against = factor in crossed_factors(study.frames.spec), baseline(study.frames.spec, factor)
    early = study.runs["stopped"].astype(bool) & (study.runs["outcome"] != Outcome.DIVERGED)
    ranked = crossed and bool(study.runs["fid_ratio"].notna().any()) and not early.any()
    return tuple(
        compare_levels(
            study.runs,
            factor,
            event,
            crossed=crossed,
            rng=seeded(6),
            varied=study.varied,
            family=Family(against),
        )
        for event in COMPARED
        if ranked or event != LOWER_FID
    )


def compare_levels(
    runs: pd.DataFrame,
    factor: str,
    event: str,
    *,
    crossed: bool,
    rng: np.random.Generator,
    varied: Sequence[str] = (),
    family: Family = ALL_PAIRS,
) -> Comparison:
    """Compare the pairs of a factor's levels in a family by the share of their runs that have an event.

    `event` is an outcome, the name of a boolean column or LOWER_FID, `crossed` whether every point trains
    every level.
    `varied` names the parameters that differ between runs by design: those with several values at a point
    are crossed, too, and a level is then compared only over the values that both levels of a pair have; the
    others describe the points that disagree. Adaptive runs are left out. Raises as `rates.rate`.
    """
    fixed = designed(runs)
    ranked = event == LOWER_FID
    frame = fixed[["point", *(name for name in varied if name != factor)]].assign(
        level=[level_text(level) for level in fixed[factor]],
        share=_last_fid(fixed) if ranked else indicator(fixed, event).astype(float),
    )
    levels = tuple(dict.fromkeys(frame["level"]))
    several = [name for name in frame.columns[1:-2] if _varies_at_points(frame, name)]
    seeds = [fixed["replicate"]] if ranked else []
    cells = frame.groupby(["point", *several, *seeds, "level"], dropna=False)["share"]
    means, sizes = cells.mean().unstack("level"), cells.size().unstack("level")
    constant = [name for name in frame.columns[1:-2] if name not in several]
    pairs = _pairs_of(levels, family.baseline)
    return Comparison(
        factor=factor,
        event=event,
        crossed=crossed,
        confidence=family.confidence,
        levels=levels,
        baseline=family.baseline,
        n_points=int(frame["point"].nunique()),
        pairs=_pairs(
            means,
            sizes,
            pairs,
            _compare_ranked if ranked else _compare_crossed if crossed else _compare_apart,
            rng,
            family.confidence,
        ),
        overall=no_overall(len(_at_points(means)), "") if ranked else _overall(means, sizes, crossed=crossed),
        disagreements=_disagreements(means, pairs if crossed and not ranked else [], frame, constant),
    )


def _pairs_of(levels: Sequence[str], baseline: str | None) -> list[tuple[str, str]]:
    """All pairs, or those of each level with the baseline; none while no run of the baseline has finished."""
    if baseline is None:
        return list(combinations(levels, 2))
    return [(level, baseline) for level in levels if level != baseline and baseline in levels]


def _last_fid(runs: pd.DataFrame) -> pd.Series:
    """The FID at the end, infinite where a run diverged."""
    ends: pd.Series = runs["fid_ratio"].mask(runs["outcome"] == Outcome.DIVERGED, np.inf)
    return ends


def _pairs(
    means: pd.DataFrame,
    sizes: pd.DataFrame,
    found: Sequence[tuple[str, str]],
    compare: Callable[[pd.DataFrame, pd.DataFrame, np.random.Generator, float], dict[str, Any]],
    rng: np.random.Generator,
    confidence: float,
) -> pd.DataFrame:
    each = 1 - (1 - confidence) / max(1, len(found))
    rows = [compare(means[list(pair)], sizes[list(pair)], rng, each) for pair in found]
    pairs = pd.DataFrame(rows, columns=[name for name in PAIR_COLUMNS if name != "p_holm"])
    return pairs.assign(p_holm=holm(pairs["p"].to_numpy(dtype=np.float64)))[list(PAIR_COLUMNS)]


def _varies_at_points(frame: pd.DataFrame, name: str) -> bool:
    return bool((frame.groupby("point")[name].nunique() > 1).any())


def _compare_crossed(
    means: pd.DataFrame,
    sizes: pd.DataFrame,
    rng: np.random.Generator,
    confidence: float,
    judge: Callable[..., Difference] = paired_t,
) -> dict[str, Any]:
    first, second = means.columns
    points, behind = _at_points(means), sizes.loc[means.dropna().index]
    differences = (points[first] - points[second]).to_numpy()
    permuted = sign_flip(differences, rng)
    test = judge(differences, confidence, runs=_runs_behind(behind), permuted=permuted)
    return _row((first, second), test) | {
        "p_permutation": permuted,
        "n_points": len(points),
        "n_runs": int(behind.to_numpy().sum()),
        "n_disagree": int((differences != 0).sum()),
        "n_first": int((differences > 0).sum()),
        "n_second": int((differences < 0).sum()),
    }


def _compare_ranked(
    means: pd.DataFrame, sizes: pd.DataFrame, rng: np.random.Generator, confidence: float
) -> dict[str, Any]:
    """Which of the two has the lower value: 1 and 0, one half each where they are equal."""
    lower = means.dropna().rank(axis=1, ascending=False) - 1
    return _compare_crossed(lower, sizes, rng, confidence, sign_test)


def _compare_apart(
    means: pd.DataFrame, sizes: pd.DataFrame, rng: np.random.Generator, confidence: float
) -> dict[str, Any]:
    both = _comparable_cells(means)
    points = means[both].groupby("point").mean().round(12)
    first, second = (points[level].dropna().to_numpy() for level in points)
    permuted, runs = shuffle(first, second, rng), _runs_behind(sizes[both])
    return _row(tuple(points.columns), welch_t(first, second, confidence, runs=runs, permuted=permuted)) | {
        "p_permutation": permuted,
        "n_points": len(first) + len(second),
        "n_runs": int(np.nansum(sizes[both].to_numpy())),
        "n_disagree": 0,
        "n_first": 0,
        "n_second": 0,
    }


def _comparable_cells(means: pd.DataFrame) -> NDArray[np.bool_]:
    """Which cells count where two levels stand at different points: [cells].

    Those at values of the other crossed factors that both levels have; and of a level that has all of these
    values at some points, only such points: the others would weigh the values differently.
    """
    several, has = list(means.index.names[1:]), means.notna()
    if not several:
        return np.ones(len(means), dtype=bool)
    shared = has.groupby(level=several, dropna=False).transform("any").all(axis=1).to_numpy()
    has = has[shared]
    n_values = has.groupby(level=several, dropna=False).ngroups
    full = has.groupby(level="point").transform("sum") == n_values
    counted = shared.copy()
    counted[shared] = (full | (has & ~full.any())).any(axis=1).to_numpy()
    return counted


def _runs_behind(sizes: pd.DataFrame) -> int:
    """Runs of a level at a point, counted low where they differ: the smallest cell times the cells."""
    cells = sizes.min(axis=1).groupby("point")
    return max(1, int((cells.min() * cells.size()).min())) if len(sizes) else 1


def _at_points(means: pd.DataFrame) -> pd.DataFrame:
    """Mean shares over the cells that all these levels have; rounded, so that equal ones differ by 0."""
    return means.dropna().groupby("point").mean().round(12)


def _row(pair: tuple[Any, ...], test: Difference) -> dict[str, Any]:
    ends = {"estimate": test.estimate, "ci_low": test.ci_low, "ci_high": test.ci_high, "p": test.p}
    return {"first": pair[0], "second": pair[1], **ends, "reason": test.reason}


def _overall(means: pd.DataFrame, sizes: pd.DataFrame, *, crossed: bool) -> Overall:
    if not crossed:
        return no_overall(0, "not estimable: the levels stand at different points")
    points = _at_points(means)
    found = hotelling(points.to_numpy())
    n_runs = int(sizes[means.notna().all(axis=1)].to_numpy().sum())
    return Overall(found.statistic, found.f, found.df, found.p, len(points), n_runs, found.reason)


def _disagreements(
    means: pd.DataFrame,
    pairs: Sequence[tuple[str, str]],
    frame: pd.DataFrame,
    constant: Sequence[str],
) -> pd.DataFrame:
    known = frame.groupby("point")[list(constant)].first()
    columns = ["point", "first", "second", "share_first", "share_second"]
    parts = [pd.DataFrame(columns=columns)]
    for first, second in pairs:
        points = _at_points(means[[first, second]]).set_axis(["share_first", "share_second"], axis=1)
        apart = points[points["share_first"] != points["share_second"]]
        parts.append(apart.reset_index().assign(first=first, second=second)[columns])
    filled = [part for part in parts if len(part)] or parts[:1]
    return pd.concat(filled, ignore_index=True).join(known, on="point")
