"""What a design can tell before anything is trained: its power, and how wide its intervals will be.

By formula, in milliseconds; imports no torch and no optuna. A run has the event where a normal number passes
a bar (probit). Two runs of a point correlate on that scale, by SAME_LEVEL under one level and by OTHER_LEVEL
under two. From this follow the variances of the levels' shares at points, and from them the power of
Student's t, which then is noncentral. Holm's first step counts for the family of pairs: whatever it tells
apart Holm tells apart, and more.

Measured against 2,000 simulated studies a case (.2 against .3, .33, .4 and .6; 1 and 10 pairs; 1 to 3 seeds,
or two levels of another crossed factor): at 16 to 64 crossed points the power is right to within .07, at 8
it is up to .13 too high for 10 pairs. Where every point has one level only it is right to within .09.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import nctdtr, ndtr, ndtri, stdtrit

from stability.reading.factors import categorical, unit_of
from stability.spec import Choice, StudySpec
from stability.statistics.rates import wilson, wilson_breadth

SAME_LEVEL, OTHER_LEVEL = 0.8, 0.6
"""Assumed correlations between two runs of a point on the normal scale. Seeds of one setting have none."""
BASE, DIFFERENCES = 0.2, (0.1, 0.2)
"""Shares that `outlook` sets against each other: this one, and larger ones by so much."""
WANTED = 0.8
"""The power that studies are usually planned for."""
ALPHA = 0.05
MOST_UNITS = 2**16
"""More are not recommended to anyone."""
CERTAIN = 30.0
"""So many standard errors from 0 no difference is missed; the noncentral t has no digits left there."""

NODES, WEIGHTS = hermegauss(60)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many of everything a design has; what is compared are the levels of its main factor."""

    units: int
    """Points; or the seeds of the one setting."""
    unit: str = "point"
    runs: int = 1
    """Of a level at a unit, under one combination of the other crossed factors' levels."""
    cells: int = 1
    """Combinations of the other crossed factors' levels."""
    factor: str | None = None
    """None where no parameter has a list of levels."""
    levels: int = 1
    crossed: bool = True
    """Every unit trains every level; otherwise it has one of them."""

    @property
    def pairs(self) -> int:
        """Of levels, all of them compared."""
        return self.levels * (self.levels - 1) // 2

    @property
    def each(self) -> int:
        """Units of one level."""
        return self.units if self.crossed else self.units // self.levels


def sizes_of(spec: StudySpec, points: int) -> Sizes:
    """The sizes of a study with so many points."""
    factor = next(iter(categorical(spec, spec.space)), None)
    levels = {name: len(domain.values) for name, domain in spec.factors.items() if isinstance(domain, Choice)}
    unit, seeds = unit_of(spec), spec.design.seeds
    return Sizes(
        units=points if unit == "point" else points * seeds,
        unit=unit,
        runs=seeds if unit == "point" else 1,
        cells=prod(levels[name] for name in spec.crossed if name != factor),
        factor=factor,
        levels=levels[factor] if factor else 1,
        crossed=factor is None or factor in spec.crossed,
    )


def outlook(sizes: Sizes) -> dict[str, Any]:
    """What the design can tell, as plain values; `told` is empty where no levels are compared."""
    pairs = [(BASE, round(BASE + more, 2)) for more in DIFFERENCES] if sizes.pairs and sizes.each > 1 else []
    return {
        "unit": sizes.unit,
        "factor": sizes.factor,
        "pairs": sizes.pairs,
        "told": [
            {
                "shares": [first, second],
                "power": round(power(sizes, first, second), 3),
                f"{sizes.unit}s_needed": units_needed(sizes, first, second),
            }
            for first, second in pairs
        ],
        "half_width": {f"{share:g}": round(half_width(sizes, share), 3) for share in (BASE, 0.5)},
    }


def power(sizes: Sizes, first: float, second: float) -> float:
    """How often two levels of these true shares are told apart, the right way round: in [0, 1].

    NaN where a level has fewer than two units, or there is but one level.
    """
    if sizes.each < 2 or not sizes.pairs:
        return float("nan")
    variance = sum(_variance(sizes, share) for share in (first, second))
    if sizes.crossed:
        variance -= 2 * _between_levels(sizes, first, second)
    df = sizes.each - 1 if sizes.crossed else 2 * sizes.each - 2
    away = abs(first - second) / np.sqrt(variance / sizes.each)
    bar = stdtrit(df, 1 - ALPHA / sizes.pairs / 2)
    return 1.0 if away > CERTAIN else float(1 - nctdtr(df, away, bar))


def units_needed(sizes: Sizes, first: float, second: float) -> int | None:
    """The smallest power of two of units that has the power WANTED; None above MOST_UNITS."""
    doubled = (2**k for k in range(1, MOST_UNITS.bit_length()))
    return next((n for n in doubled if power(replace(sizes, units=n), first, second) >= WANTED), None)


def half_width(sizes: Sizes, share: float, confidence: float = 0.95) -> float:
    """Half of the width of the interval of a level's share, where it turns out as expected."""
    units = max(1, sizes.each)
    worth = units * share * (1 - share) / _variance(sizes, share)
    low, high = wilson(share, wilson_breadth(worth, units, confidence))
    return float(high - low) / 2


def _variance(sizes: Sizes, share: float) -> float:
    """Of a level's share of runs at one unit."""
    alike = _covariance(share, share, SAME_LEVEL)
    cell = (share * (1 - share) + (sizes.runs - 1) * alike) / sizes.runs
    return (cell + (sizes.cells - 1) * _between_levels(sizes, share, share)) / sizes.cells


def _between_levels(sizes: Sizes, first: float, second: float) -> float:
    """Covariance of two runs of a unit under two levels."""
    return _covariance(first, second, OTHER_LEVEL) if sizes.unit == "point" else 0.0


def _covariance(first: float, second: float, correlation: float) -> float:
    """Of two runs having the event, whose normal scales correlate so: integrated over what they share."""
    shared = np.sqrt(correlation) * NODES
    one, other = (ndtr((ndtri(share) - shared) / np.sqrt(1 - correlation)) for share in (first, second))
    return float(WEIGHTS @ (one * other) / WEIGHTS.sum()) - first * second
