"""The headline of a study: which level succeeds most often, and what fails most often elsewhere.

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
    overlapping: tuple[str, ...]
    """Levels that cannot be ranked below the best."""
    separated: tuple[str, ...]
    """Levels that are below the best: by Holm's p-value of the paired difference, or where nothing is
    paired, with their whole interval below the best one's."""
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
    levels cannot.
    """
    success = _success_rates(runs, factor)
    rest = success[success["estimate"] < success["estimate"].max()]
    levels = tuple(rest[factor]) if factor is not None else ()
    paired = comparison is not None and comparison.crossed
    below = _below(success, factor, comparison if paired else None) if factor is not None else frozenset()
    failures = pd.concat([rate(runs, outcome).assign(event=str(outcome)) for outcome in FAILURES])
    failures = failures[failures["estimate"] > 0].sort_values("estimate", ascending=False, kind="stable")
    return Verdict(
        factor=factor,
        success=success,
        overlapping=tuple(level for level in levels if level not in below),
        separated=tuple(level for level in levels if level in below),
        paired=paired,
        failures=failures.reset_index(drop=True),
        learning=rate(runs, Outcome.LEARNING),
        unit=unit,
    )


def _below(success: pd.DataFrame, factor: str, comparison: Comparison | None) -> frozenset[str]:
    """The levels that are told apart from all of the best: point by point, or else by their intervals."""
    best = success[success["estimate"] == success["estimate"].max()]
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
