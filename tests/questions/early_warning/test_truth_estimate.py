"""Simulated studies with a known AUC: do the intervals cover it, and does the early stop keep its promise?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from stability.questions.early_warning.estimate import compute_saved, stops
from stability.questions.early_warning.landmarks import BOTH, Landmark
from stability.statistics.held_out import assign_folds
from stability.statistics.out_of_fold import FALSE_STOPS, FOLDS, auc, out_of_fold

pytestmark = pytest.mark.slow


class Made(NamedTuple):
    """A study whose first feature is normal, shifted in the runs that fail; the others are noise."""

    features: np.ndarray
    failed: np.ndarray
    points: np.ndarray
    folds: np.ndarray


def made(
    generator: np.random.Generator, *, points: int, seeds: int, shift: float, alike: float, noise: int = 0
) -> Made:
    """Runs of a point share their chance of failing, and `alike` of the variance of their feature."""
    chance = generator.beta(0.4, 0.6, size=points)
    failed = (generator.random((points, seeds)) < chance[:, None]).ravel()
    shared = np.sqrt(alike) * np.repeat(generator.normal(size=points), seeds)
    told = shift * failed + shared + np.sqrt(1 - alike) * generator.normal(size=len(failed))
    names = np.repeat(np.arange(points), seeds)
    fold_of = assign_folds(names, FOLDS, rng=generator)
    features = np.column_stack([told, generator.normal(size=(len(failed), noise))])
    return Made(features, failed, names, np.array([fold_of[point] for point in names]))


def coverage(shift: float, *, points: int, seeds: int, alike: float, studies: int) -> float:
    generator = np.random.default_rng(int(100 * shift) + points)
    truth, hits = norm.cdf(shift / np.sqrt(2)), 0
    for _ in range(studies):
        study = made(generator, points=points, seeds=seeds, shift=shift, alike=alike)
        risks = out_of_fold(study.features, study.failed, study.folds)
        row = auc(risks, study.failed, study.points, study.folds).iloc[0]
        hits += row.ci_low <= truth <= row.ci_high
    return hits / studies


@pytest.mark.parametrize("shift", [0.3, 0.5, 1.5])
def test_the_interval_covers_the_auc_of_a_diagnostic_that_tells(shift: float, full: bool) -> None:
    assert coverage(shift, points=64, seeds=3, alike=0.5, studies=500 if full else 150) >= (
        0.90 if full else 0.88
    )


def test_the_interval_covers_with_many_alike_runs_at_few_points(full: bool) -> None:
    assert coverage(1.0, points=32, seeds=6, alike=0.9, studies=500 if full else 150) >= (
        0.90 if full else 0.88
    )


@pytest.mark.parametrize(("points", "seeds", "alike"), [(64, 3, 0.5), (128, 2, 0.9), (40, 1, 0.0)])
def test_the_interval_of_a_useless_diagnostic_covers_one_half(
    points: int, seeds: int, alike: float, full: bool
) -> None:
    studies = 500 if full else 150
    assert coverage(0.0, points=points, seeds=seeds, alike=alike, studies=studies) >= 0.93


@pytest.mark.parametrize(
    ("points", "seeds", "shift", "alike"), [(64, 3, 2.0, 0.9), (32, 10, 1.0, 0.9), (256, 2, 1.0, 0.5)]
)
def test_an_early_stop_keeps_to_its_limit_on_fresh_runs(
    points: int, seeds: int, shift: float, alike: float, full: bool
) -> None:
    """Each run is fresh: neither its model nor its bar has seen its point."""
    generator = np.random.default_rng(points)
    wrong, caught = [], []
    for _ in range(80 if full else 40):
        study = made(generator, points=points, seeds=seeds, shift=shift, alike=alike, noise=20)
        everyone = np.ones(len(study.failed), dtype=bool)
        stopped, why = stops(
            Landmark(
                0, pd.DataFrame(), study.points, study.failed, everyone, study.folds, {BOTH: study.features}
            )
        )
        assert why == ""
        wrong.append(stopped[~study.failed].mean())
        caught.append(stopped[study.failed].mean())
    assert np.mean(wrong) <= FALSE_STOPS
    assert np.mean(caught) > 2 * np.mean(wrong)


@pytest.mark.parametrize(
    ("points", "seeds", "share"), [(64, 3, 0.05), (64, 1, 0.1), (32, 3, 0.1), (64, 3, 0.2), (128, 2, 0.5)]
)
def test_the_interval_of_what_is_saved_covers_it(points: int, seeds: int, share: float, full: bool) -> None:
    """Runs of a point tend to be stopped together; points cost up to six times as much as others."""
    generator = np.random.default_rng(points + seeds)
    hits, studies = 0, 0
    used = pd.DataFrame({"point": np.repeat(np.arange(points), seeds), "n_gen": 1, "step": 1000})
    for _ in range(2500 if full else 400):
        used["n_dis"] = np.repeat(generator.integers(1, 6, size=points), seeds)
        chance = generator.beta(0.7 * share, 0.7 * (1 - share), size=points)
        stopped = pd.Series(generator.random(len(used)) < np.repeat(chance, seeds))
        row = compute_saved(used, stopped, 300).iloc[0]
        studies += bool(stopped.any())  # otherwise there is no interval
        hits += row.ci_low <= 0.7 * share <= row.ci_high
    least, most = (0.93, 0.98) if full else (0.915, 0.99)
    assert least <= hits / studies <= most
