"""The headline of a study: which level succeeds most often, and what fails most often elsewhere.

Where there is a baseline, which levels are told to succeed more or less often than it comes first.

Naming the best of several levels and quoting its own 95% interval would flatter it. The intervals here
hold for all levels at once (Bonferroni), so the one that happens to come first is covered too.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from stability.questions.comparison.estimate import Comparison
from stability.reading.factors import Unit
from stability.records import FAILURES, Outcome
from stability.statistics.rates import SUCCESS, rate, rates_by

ALPHA = 0.05


@dataclass(frozen=True)
class Verdict:
    """What the estimates say in one breath."""

    factor: str | None
    """What was compared; None where nothing was."""
    success: pd.DataFrame
    """The rate of success by level (`factor`'s column and those of `rate`), the highest first."""
    baseline: str | None
    """The level that all others were held against; None where it is the best."""
    above: tuple[str, ...]
    """Levels told to succeed more often than the baseline; none where there is none."""
    below: tuple[str, ...]
    """Levels told to succeed less often than the baseline, or than all of the best: by Holm's p-value of the
    paired difference, or where nothing is paired, with their whole interval below the best one's."""
    overlapping: tuple[str, ...]
    """Levels that cannot be told from the baseline, or not from the best."""
    paired: bool
    """Whether levels were compared point by point."""
    failures: pd.DataFrame
    """The rates of all failures (`event` and the columns of `rate`), highest first, unseen left out."""
    learning: pd.DataFrame
    """One row: the rate of runs that were still learning at the horizon."""
    unit: Unit = "point"
    """What `n_points` counts."""

    @property
    def estimable(self) -> bool:
        """Whether there is any rate to speak of."""
        return bool(self.success["estimate"].notna().any())

    @property
    def best(self) -> tuple[str, ...]:
        """The level with the highest rate, or several at a tie."""
        if self.factor is None or not self.estimable:
            return ()
        top = self.success["estimate"] == self.success["estimate"].max()
        return tuple(self.success.loc[top, self.factor])


def verdict(
    runs: pd.DataFrame,
    factor: str | None,
    comparison: Comparison | None = None,
    *,
    unit: Unit = "point",
) -> Verdict:
    """Compare the levels of a factor by their success rate; None describes the study as a whole.

    `comparison` is that of success where the factor is crossed: it tells apart what intervals of single
    levels cannot, and knows the baseline.
    """
    success = _success_rates(runs, factor)
    if comparison is not None and not (comparison.crossed and len(comparison.pairs)):
        comparison = None
    above, below, rest = _told_apart(success, factor, comparison)
    failures = pd.concat([rate(runs, outcome).assign(event=str(outcome)) for outcome in FAILURES])
    failures = failures[failures["estimate"] > 0].sort_values("estimate", ascending=False, kind="stable")
    return Verdict(
        factor=factor,
        success=success,
        baseline=None if comparison is None else comparison.baseline,
        above=above,
        below=below,
        overlapping=rest,
        paired=comparison is not None,
        failures=failures.reset_index(drop=True),
        learning=rate(runs, Outcome.LEARNING),
        unit=unit,
    )


def _told_apart(
    success: pd.DataFrame, factor: str | None, comparison: Comparison | None
) -> tuple[tuple[str, ...], ...]:
    """The levels above what the others are held against, those below it, and those told neither."""
    if factor is None:
        return (), (), ()
    levels = tuple(success[factor])
    if comparison is not None and comparison.baseline is not None:
        told = comparison.pairs[comparison.pairs["p_holm"] <= ALPHA]
        above = frozenset(told.loc[told["estimate"] > 0, "first"])
        below = frozenset(told.loc[told["estimate"] < 0, "first"])
        compared = [level for level in levels if level != comparison.baseline]
    else:
        best = success[success["estimate"] == success["estimate"].max()]
        above, below = frozenset(), _below(success, best, factor, comparison)
        compared = [level for level in levels if level not in set(best[factor])]
    sides = [tuple(level for level in compared if level in side) for side in (above, below)]
    return *sides, tuple(level for level in compared if level not in above | below)


def _below(
    success: pd.DataFrame, best: pd.DataFrame, factor: str, comparison: Comparison | None
) -> frozenset[str]:
    """The levels that are told apart from all of the best: point by point, or else by their intervals."""
    if comparison is None:
        return frozenset(success.loc[success["ci_high"] < best["ci_low"].min(), factor])
    return frozenset(
        level for level in success[factor] if all(_is_below(comparison, level, one) for one in best[factor])
    )


def _is_below(comparison: Comparison, level: str, other: str) -> bool:
    """Whether a level succeeds less often than another, by Holm's p-value over all pairs."""
    ranked = comparison.ranked
    row = ranked[(ranked["first"] == other) & (ranked["second"] == level)]
    return bool((row["p_holm"] <= ALPHA).any())


def _success_rates(runs: pd.DataFrame, factor: str | None) -> pd.DataFrame:
    if factor is None:
        return rate(runs, SUCCESS)
    n_levels = max(1, runs[factor].nunique(dropna=False))
    rates = rates_by(runs, factor, [SUCCESS], confidence=1 - 0.05 / n_levels)
    return rates.sort_values("estimate", ascending=False, kind="stable").reset_index(drop=True)
