"""Studies of known truth: how many runs at each point have an event. Imports no torch and no optuna."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stability.statistics.rates import interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def point_probabilities(
    rng: np.random.Generator, share: float, correlation: float, shape: tuple[int, ...]
) -> Floats:
    """Draw the points' own probabilities: beta with mean `share`; two runs of a point correlate so."""
    if correlation == 0:
        return np.full(shape, share)
    strength = 1 / correlation - 1
    return rng.beta(share * strength, (1 - share) * strength, shape)


def drawn_counts(
    rng: np.random.Generator, share: float, correlation: float, shape: tuple[int, int], runs: int
) -> Ints:
    """Draw how many of a point's `runs` have the event, shape [studies, points]."""
    counts: Ints = rng.binomial(runs, point_probabilities(rng, share, correlation, shape))
    return counts


def coverage(counts: Ints, runs: int, share: float, confidence: float = 0.95) -> float:
    """Share of the studies, [studies, points] with as many runs at each, whose interval holds `share`."""
    low, high = interval(counts, np.full(counts.shape[1], runs), confidence)
    return float(((low <= share) & (share <= high)).mean())
