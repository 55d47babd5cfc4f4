"""Tests that shares at points differ: two levels, or all of them at once. Arrays in, estimates out.

Whatever cannot be tested has NaN and a reason. Imports no torch and no optuna.

Student's t takes its error from the points that stand out. Where few do, it rests on hardly anything, and
where none does it has no interval at all. There its interval is widened to one recovered from Wilson's
(Zou and Donner 2008). Measured on 4,000 simulated studies a case, at 95% and in brackets at 99.5%; a missing
interval counts as a miss:
- 64 points with 1 or 3 seeds, .05 against 0: Student's t covers 82 to 91% (95 to 99%), the wider of both
  97.5 to 99.7% (100%). At .95 against 0 as much.
- .2 against .2 and .5 against .2: Student's t covers 94 to 96% (99.1 to 99.7%), the wider of both as much.
- .5 against .45, every run that is good under the second so under the first as well: bounds recovered from
  the two levels' own and their correlation over points cover 85 to 92%, at 24 points 74 to 89%. So they are
  recovered from how far one level is ahead at points and how far the other is: 98.7 to 99.9%.
- 4 to 16 points with 1 or 3 seeds, .05 to .95 against 0 to .2 (1,500 studies a case, correlations of 0 and
  .5 between seeds): the wider of both covers at least 94.3% (99.6%).
- Levels at points of their own, .05 against 0: Welch's t covers 80 to 95% at 32 points each and 45 to 94%
  at 12 and 50, the wider of both at least 99.9%. At 12 and 50 points with .05 each its p-value is at most .05
  in 12 to 17%, so where few points stand out the larger of it and the shuffle's counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, fdtrc, stdtr, stdtrit
from scipy.stats import binomtest, permutation_test

from stability.statistics.rates import ONE_POINT, effective_runs, wilson, wilson_breadth

Floats = NDArray[np.float64]

NO_COMMON_POINT = "not estimable: no point has finished runs of both levels"
NO_POINT = "not estimable: a level has no finished runs where the other has some"
ONE_POINT_EACH = "no interval: it takes two points of each level"

FEW_POINTS = 10
"""With fewer points off the commonest value Student's interval is widened. Over 84 cases like those above, 64
points, the least that 95% (99.5%) intervals cover is then 93.8 (98.8%); with 5 instead 92.7 (97.8%), with 15
94.4 (99.1%), at intervals up to a quarter wider."""

RESAMPLES = 9999
"""Above this number of equally likely arrangements a permutation test draws as many of them at random."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of two levels with its interval and two-sided p-value."""

    estimate: float
    ci_low: float
    ci_high: float
    p: float
    reason: str


@dataclass(frozen=True, slots=True)
class Overall:
    """Hotelling's T2: are all levels alike? F has `df` degrees of freedom; NaN where `reason` says why."""

    statistic: float
    f: float
    df: tuple[int, int]
    p: float
    n_points: int
    """Points with finished runs of every level; the test rests on these alone."""
    n_runs: int
    reason: str


def paired_t(
    differences: Floats, confidence: float = 0.95, *, runs: int = 1, permuted: float = np.nan
) -> Difference:
    """Student's t on the differences of points, shape [points]; its interval at this confidence.

    `runs` is how many runs of each level stand behind a difference. Where fewer than FEW_POINTS points are
    off the commonest difference the interval is at least the one recovered from Wilson's intervals of
    how far the first level is ahead and of how far the second is. `permuted`, the p-value of a permutation
    test, stands in where all points differ alike.
    """
    n = len(differences)
    if n == 0:
        return Difference(np.nan, np.nan, np.nan, np.nan, NO_COMMON_POINT)
    estimate = float(differences.mean())
    if n == 1:
        return Difference(estimate, np.nan, np.nan, np.nan, ONE_POINT)
    plain = _student(estimate, _variance(differences) ** 0.5, n - 1, confidence)
    if _standing_out(differences) < FEW_POINTS:
        ahead, behind = np.maximum(differences, 0.0), np.maximum(-differences, 0.0)
        plain = _widened(plain, ahead, behind, runs, confidence, paired=True)
    return replace(plain, p=permuted) if np.isnan(plain.p) else plain


def sign_test(
    differences: Floats, confidence: float = 0.95, *, runs: int = 1, permuted: float = np.nan
) -> Difference:
    """As `paired_t` on points that are won (1), lost (-1) or neither, with the sign flip's p-value.

    The interval is Clopper and Pearson's, exact at any number of points; what was neither counts against
    either end. With several seeds a point is won in part, and the interval is that of `paired_t`.
    """
    plain = replace(paired_t(differences, confidence, runs=runs, permuted=permuted), p=permuted)
    n, won, lost = len(differences), int((differences == 1).sum()), int((differences == -1).sum())
    if n < 2 or won + lost + int((differences == 0).sum()) < n:
        return plain
    least = [float(betaincinv(k, n - k + 1, (1 - confidence) / 2)) if k else 0.0 for k in (won, lost)]
    return replace(plain, ci_low=2 * least[0] - 1, ci_high=1 - 2 * least[1])


def welch_t(
    first: Floats, second: Floats, confidence: float = 0.95, *, runs: int = 1, permuted: float = np.nan
) -> Difference:
    """Welch's t for levels at different points, shapes [points] each; its interval at this confidence.

    `runs` and the widening as in `paired_t`, from Wilson's intervals of both levels; there `permuted` stands
    in for a smaller p-value as well.
    """
    if not len(first) or not len(second):
        return Difference(np.nan, np.nan, np.nan, np.nan, NO_POINT)
    estimate = float(first.mean() - second.mean())
    if min(len(first), len(second)) == 1:
        return Difference(estimate, np.nan, np.nan, np.nan, ONE_POINT_EACH)
    a, b = _variance(first), _variance(second)
    parts = a**2 / (len(first) - 1) + b**2 / (len(second) - 1)
    plain = _student(estimate, (a + b) ** 0.5, (a + b) ** 2 / parts if parts else 1.0, confidence)
    if min(_standing_out(first), _standing_out(second)) >= FEW_POINTS:
        return plain
    plain = _widened(plain, first, second, runs, confidence, paired=False)
    return replace(plain, p=float(np.fmax(plain.p, permuted)))


def holm(p: Floats) -> Floats:
    """Holm's adjusted p-values; a missing one stays missing and counts in the family all the same.

    The same as statsmodels' `multipletests(method="holm")`, which takes a thousand times longer.
    """
    order = np.argsort(p)  # a missing one comes last
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, steps)
    return adjusted


def hotelling(shares: Floats) -> Overall:
    """Hotelling's T2 that all columns of `shares`, shape [points, levels], have the same mean.

    T2 = n d' S^-1 d over the differences d to the last level; F = T2 (n - q) / (q (n - 1)) with q and n - q
    degrees of freedom, q = levels - 1 (Hotelling 1931).
    """
    n, q = len(shares), shares.shape[1] - 1
    differences = shares[:, :-1] - shares[:, -1:]
    if q < 1:
        return no_overall(n, "not estimable: a single level")
    if n <= q:
        return no_overall(n, f"not estimable: {n} points with every level, it takes {q + 1}")
    mean = differences.mean(axis=0)
    centred = differences - mean
    if np.linalg.matrix_rank(centred, tol=1e-9) < q:
        return no_overall(n, "not estimable: some levels, or sums of them, differ alike at every point")
    statistic = float(n * mean @ np.linalg.solve(centred.T @ centred / (n - 1), mean))
    f = statistic * (n - q) / (q * (n - 1))
    return Overall(statistic, f, (q, n - q), float(fdtrc(q, n - q, f)), n, 0, "")


def sign_flip(differences: Floats, rng: np.random.Generator) -> float:
    """Two-sided p-value of the mean difference over flips of signs; every flip is tried where they are few.

    Differences of 0 do not matter.
    """
    if len(differences) < 2:
        return np.nan
    moving = differences[differences != 0]
    if len(moving) < 2:
        return 1.0
    if np.ptp(np.abs(moving)) == 0:  # as many flips in favour as heads of a coin
        return float(binomtest(int((moving > 0).sum()), len(moving)).pvalue)
    return _permutation_p((moving,), lambda x, axis: x.mean(axis=axis), "samples", rng)


def shuffle(first: Floats, second: Floats, rng: np.random.Generator) -> float:
    """Two-sided p-value of the difference of means over ways to deal the two levels to the points."""
    if min(len(first), len(second)) < 2:
        return np.nan
    return _permutation_p(
        (first, second), lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis), "independent", rng
    )


def no_overall(n_points: int, reason: str) -> Overall:
    """What is left to say where the test cannot be made."""
    return Overall(np.nan, np.nan, (0, 0), np.nan, n_points, 0, reason)


def _student(estimate: float, error: float, df: float, confidence: float) -> Difference:
    """Without any error: an interval of no width, and no p-value but for no difference."""
    half = float(stdtrit(df, (1 + confidence) / 2)) * error
    p = 2 * float(stdtr(df, -abs(estimate) / error)) if error else (np.nan if estimate else 1.0)
    return Difference(estimate, max(-1.0, estimate - half), min(1.0, estimate + half), p, "")


def _widened(
    plain: Difference, first: Floats, second: Floats, runs: int, confidence: float, *, paired: bool
) -> Difference:
    """The wider end, on either side, of this interval and of bounds recovered from two of Wilson's."""
    (below, above), (under, over) = (_wilson(shares, runs, confidence) for shares in (first, second))
    along = 2 * _correlation(first, second) if paired else 0.0
    down = max(0.0, below**2 + over**2 - along * below * over) ** 0.5
    up = max(0.0, above**2 + under**2 - along * above * under) ** 0.5
    return replace(
        plain,
        ci_low=min(plain.ci_low, max(-1.0, plain.estimate - down)),
        ci_high=max(plain.ci_high, min(1.0, plain.estimate + up)),
    )


def _wilson(shares: Floats, runs: int, confidence: float) -> tuple[float, float]:
    """How far the interval of a mean share reaches below and above it, as `rates.rate` has it."""
    worth = effective_runs(shares * runs, np.full(len(shares), runs))
    mean = float(shares.mean())
    low, high = wilson(mean, wilson_breadth(worth, len(shares), confidence))
    return mean - float(low), float(high) - mean


def _correlation(first: Floats, second: Floats) -> float:
    one, other = first - first.mean(), second - second.mean()
    size = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / size if size > 0 else 0.0


def _variance(values: Floats) -> float:
    """Of the mean; exactly 0 where all are the same."""
    return float(values.var(ddof=1)) / len(values) if np.ptp(values) else 0.0


def _standing_out(values: Floats) -> int:
    return len(values) - int(np.unique(values, return_counts=True)[1].max())


def _permutation_p(data: tuple[Floats, ...], statistic: Any, kind: Any, rng: np.random.Generator) -> float:
    test = permutation_test(
        data,
        statistic,
        permutation_type=kind,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=1000,
        rng=rng,
    )
    return float(test.pvalue)
