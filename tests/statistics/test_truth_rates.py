"""What estimates of rates and their differences promise, held against simulated studies of known truth."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from stability.questions.cost.estimate import Clusters, events_interval, success_interval
from stability.statistics.paired_tests import holm, hotelling, paired_t, welch_t
from stability.statistics.simulated import coverage, drawn_counts, point_probabilities

pytestmark = pytest.mark.slow

STUDIES, POINTS, SEEDS, LEVELS = 4000, 64, 3, 5
PAIRS = list(combinations(range(LEVELS), 2))

Floats = NDArray[np.float64]


@pytest.mark.parametrize("runs", [1, 2, 10])
@pytest.mark.parametrize(
    ("points", "least"), [(4, 0.86), (6, 0.87), (8, 0.83), (12, 0.91), (16, 0.91), (64, 0.92)]
)
def test_intervals_of_rates_cover(points: int, least: float, runs: int) -> None:
    """The least of the shares and correlations; with few points it is that of Wilson's with single runs."""
    generator = np.random.default_rng([points, runs])
    covered = [
        coverage(drawn_counts(generator, share, correlation, (STUDIES, points), runs), runs, share)
        for share in (0.02, 0.05, 0.2, 0.5, 0.8)
        for correlation in ((0.0, 0.3, 0.7, 0.95) if runs > 1 else (0.0,))
    ]
    assert min(covered) >= least
    assert np.median(covered) >= 0.93
    if points >= 12:
        assert np.median(covered) <= 0.98


@dataclass(frozen=True)
class Verdicts:
    """Of every simulated study."""

    significant: NDArray[np.bool_]
    """Per study and pair: Holm's p at most .05."""
    covered: NDArray[np.bool_]
    """Per study: all Bonferroni intervals at once hold the true differences."""
    overall: Floats
    """Hotelling's p-value."""


def compared(
    generator: np.random.Generator, shares: list[float], shared: float, interaction: float
) -> Verdicts:
    """Crossed studies with true `shares` by level.

    On the probit scale points differ by a common effect and by one of their own for every level: some
    configurations suit one level, others another, without any level being better on average.
    """
    spread = np.sqrt(1 + shared + interaction)
    effects = generator.normal(0, np.sqrt(shared), (STUDIES, POINTS, 1))
    effects = effects + generator.normal(0, np.sqrt(interaction), (STUDIES, POINTS, LEVELS))
    seen = generator.binomial(SEEDS, ndtr(ndtri(np.array(shares)) * spread + effects)) / SEEDS
    truth = np.array([shares[one] - shares[other] for one, other in PAIRS])
    significant, covered, overall = [], [], []
    for study in seen:
        tests = [
            paired_t((study[:, one] - study[:, other]).round(12), 1 - 0.05 / len(PAIRS), runs=SEEDS)
            for one, other in PAIRS
        ]
        low, high = np.array([(test.ci_low, test.ci_high) for test in tests]).T
        significant.append(holm(np.array([test.p for test in tests])) <= 0.05)
        covered.append(bool(((low <= truth) & (truth <= high)).all()))
        overall.append(hotelling(study).p)
    return Verdicts(np.array(significant), np.array(covered), np.array(overall))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize(("shared", "interaction"), [(0.5, 0.3), (3.0, 1.0), (8.0, 8.0)])
def test_equal_losses_are_not_told_apart(share: float, shared: float, interaction: float) -> None:
    found = compared(np.random.default_rng(int(10 * (share + shared))), [share] * LEVELS, shared, interaction)
    assert found.significant.any(axis=1).mean() <= 0.06
    assert found.covered.mean() >= 0.94
    assert 0.035 <= (found.overall <= 0.05).mean() <= 0.065


def test_a_better_loss_is_found() -> None:
    shares = [0.2, 0.2, 0.2, 0.2, 0.5]
    found = compared(np.random.default_rng(5), shares, 3.0, 1.0)
    better = np.array([other == 4 for _, other in PAIRS])
    assert found.significant[:, better].mean() >= 0.9
    assert found.significant[:, ~better].any(axis=1).mean() <= 0.06
    assert found.covered.mean() >= 0.94
    assert (found.overall <= 0.05).mean() >= 0.99


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize(
    "shares", [(0.05, 0.0), (0.95, 0.0), (0.05, 0.05), (0.2, 0.2), (0.5, 0.2), (0.5, 0.45)]
)
def test_intervals_of_differences_cover_rare_ones(
    shares: tuple[float, float], seeds: int, nested: bool
) -> None:
    """A missing interval counts as a miss. `nested`: what is good under the second is so under the first."""
    generator, studies = np.random.default_rng(int(100 * sum(shares))), 2000
    drawn = generator.random((2, studies, POINTS, seeds))
    first, second = (
        (drawn[row] < share).mean(axis=2) for row, share in zip((0, 1 - nested), shares, strict=True)
    )
    truth, differences = shares[0] - shares[1], (first - second).round(12)
    for confidence, least in ((0.95, 0.935), (0.995, 0.985)):
        found = [paired_t(row, confidence, runs=seeds) for row in differences]
        covered = [one.ci_low - 1e-12 <= truth <= one.ci_high + 1e-12 for one in found]
        assert np.mean(covered) >= least


@pytest.mark.parametrize("sizes", [(32, 32), (12, 50)])
@pytest.mark.parametrize("shares", [(0.05, 0.0), (0.05, 0.05), (0.95, 0.05), (0.5, 0.0), (0.2, 0.2)])
def test_intervals_of_levels_at_different_points_cover(
    shares: tuple[float, float], sizes: tuple[int, int]
) -> None:
    generator = np.random.default_rng(int(100 * sum(shares)))
    studies = [
        [generator.binomial(1, share, n) * 1.0 for share, n in zip(shares, sizes, strict=True)]
        for _ in range(2000)
    ]
    for confidence, least in ((0.95, 0.935), (0.995, 0.985)):
        found = [welch_t(*study, confidence) for study in studies]
        truth = shares[0] - shares[1]
        assert np.mean([one.ci_low <= truth <= one.ci_high for one in found]) >= least


def collapses(
    generator: np.random.Generator, hazard: float, mix: str, shape: tuple[int, int, int]
) -> tuple[Floats, Floats]:
    """Sums at points of collapses and of exposure until then; the hazards per horizon average `hazard`."""
    studies, points, _ = shape
    hazards = {
        "equal": np.full((studies, points), hazard),
        "unequal": generator.gamma(0.1, 10 * hazard, (studies, points)),
        "some": np.where(generator.random((studies, points)) < 0.3, hazard / 0.3, 1e-12),
    }[mix]
    times = generator.exponential(1, shape) / np.maximum(hazards, 1e-12)[..., None]
    return (times < 1).sum(axis=2).astype(float), np.minimum(times, 1).sum(axis=2)


@pytest.mark.parametrize("mix", ["equal", "unequal", "some"])
@pytest.mark.parametrize("hazard", [0.005, 0.02, 0.5, 2.0])
def test_intervals_of_collapses_per_update_cover(hazard: float, mix: str) -> None:
    """At least as often as they say: down to one collapse in a study they cover too often, not too rarely."""
    generator = np.random.default_rng(int(1000 * hazard))
    events, exposures = collapses(generator, hazard, mix, (400, 4000, SEEDS))
    truth = events.sum() / exposures.sum()
    sizes = np.full(POINTS, float(SEEDS))
    studies = zip(*collapses(generator, hazard, mix, (STUDIES, POINTS, SEEDS)), strict=True)
    bounds = np.array([events_interval(Clusters(*sums, sizes), 0.95) for sums in studies])
    assert ((bounds[:, 0] <= truth) & (truth <= bounds[:, 1])).mean() >= 0.94
    assert (bounds[:, 0] > truth).mean() <= 0.03
    assert (bounds[:, 1] < truth).mean() <= 0.03


def test_intervals_of_successes_per_cost_cover() -> None:
    """Points cost differently, and a run that fails stops early or takes longer."""
    generator, studies = np.random.default_rng(1), 2000
    sizes = np.full(POINTS, float(SEEDS))
    for cost_of_failure in (0.5, 1.5):
        probabilities = point_probabilities(generator, 0.4, 0.4, (studies, POINTS))[..., None]
        stable = generator.random((studies, POINTS, SEEDS)) < probabilities
        costs = np.where(stable, 1, cost_of_failure) * np.exp(generator.normal(0, 0.3, (studies, POINTS, 1)))
        truth = 0.4 / ((0.4 + 0.6 * cost_of_failure) * np.exp(0.3**2 / 2))
        sums = zip(stable.sum(axis=2).astype(float), costs.sum(axis=2), strict=True)
        bounds = np.array([success_interval(Clusters(*both, sizes), 0.95) for both in sums])
        assert ((bounds[:, 0] <= truth) & (truth <= bounds[:, 1])).mean() >= 0.93
