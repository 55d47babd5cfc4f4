"""Do the intervals for the time to an event hold the truth as often as they say? By simulation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from stability.questions.time_to_event.estimate import Survival, time_to_event

pytestmark = pytest.mark.slow

POINTS, SEEDS = 64, 3
VISITS = np.arange(150, 1501, 150)
EVALUATIONS = pd.DataFrame({"run": "any", "step": VISITS})


@dataclass(frozen=True)
class World:
    """Points whose rate of collapse per horizon is gamma distributed; survival is known in closed form."""

    shape: float
    scales: tuple[float, ...]
    """One for each level; they share a point's gamma draw, so that it is good or bad under all of them."""
    lost: float
    """Rate per horizon of a divergence that has nothing to do with collapse."""

    def survival(self, level: int) -> NDArray[np.float64]:
        """True share of runs without a collapse at the visits."""
        return (1 + self.scales[level] * VISITS / VISITS[-1]) ** -self.shape

    def mean(self, level: int) -> float:
        """True restricted mean, as seen at the visits."""
        return float(150 * (1 + self.survival(level)[:-1].sum()))

    def study(self, generator: np.random.Generator) -> Survival:
        levels = len(self.scales)
        rates = generator.gamma(self.shape, size=(POINTS, 1, 1)) * np.array(self.scales)[:, None]
        times = generator.exponential(VISITS[-1], size=(POINTS, levels, SEEDS)) / rates
        ends = generator.exponential(VISITS[-1], size=times.shape) / max(self.lost, 1e-12)
        onset = (np.ceil(times / 150) * 150).ravel()
        end = np.minimum(ends, 1e9).ravel()
        runs = pd.DataFrame(
            {
                "run": np.arange(onset.size),
                "point": np.repeat(np.arange(POINTS), levels * SEEDS),
                "loss": np.tile(np.repeat(np.arange(levels), SEEDS), POINTS),
                "adaptive": False,
                "outcome": np.where(end < VISITS[-1], "diverged", "stable"),
                "stopped": False,
                "step": np.minimum(end, VISITS[-1]),
                "divergence_step": pd.array(np.where(end < VISITS[-1], np.ceil(end), -1), dtype="Int64"),
            }
        )
        runs["divergence_step"] = runs["divergence_step"].mask(runs["divergence_step"] < 0)
        seen = (onset <= VISITS[-1]) & (onset < end)
        events = runs.loc[seen, ["run"]].assign(kind="collapse", onset=onset[seen], never_good=False)
        return time_to_event(runs, events, EVALUATIONS, "loss")


def holds(frame: pd.DataFrame, truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 where an interval holds the truth, 0 where not, NaN where there is none."""
    inside = (frame["ci_low"] <= truth) & (truth <= frame["ci_high"])
    return np.where(frame["ci_low"].notna(), inside, np.nan)


WORLDS = {
    "clustered": World(0.5, (1.0, 1.0), 0.0),
    "unequal, with losses": World(0.5, (1.0, 0.3), 0.3),
    "frequent": World(2.0, (0.5, 1.0), 0.3),
}


@pytest.mark.parametrize("name", WORLDS)
def test_intervals_cover_the_truth(name: str, full: bool) -> None:
    world, generator = WORLDS[name], np.random.default_rng(sum(map(ord, name)))
    truth = np.concatenate([world.survival(level) for level in range(2)])
    means = np.array([world.mean(level) for level in range(2)])
    curves, of_means, differences = [], [], []
    studies, least, most = (1000, 0.935, 0.98) if full else (400, 0.91, 0.99)
    for _ in range(studies):
        result = world.study(generator)
        curves.append(holds(result.curves, truth))
        of_means.append(holds(result.means, means))
        differences.append(holds(result.differences, means[:1] - means[1:]))
    assert np.nanmean(curves, axis=0).min() >= least
    assert np.nanmean(curves, axis=0).max() <= most
    assert least - 0.005 <= np.mean(of_means) <= most - 0.005
    assert least - 0.005 <= np.mean(differences) <= most


def test_bonferroni_intervals_hold_all_at_once(full: bool) -> None:
    world, generator = World(0.5, (1.0, 1.0, 1.0, 1.0, 1.0), 0.0), np.random.default_rng(7)
    all_hold = [
        (holds(world.study(generator).differences, np.zeros(10)) == 1).all()
        for _ in range(500 if full else 200)
    ]
    assert np.mean(all_hold) >= (0.94 if full else 0.92)


def test_means_of_rare_events_cover(full: bool) -> None:
    world, generator = World(0.3, (0.4, 0.4), 0.0), np.random.default_rng(8)
    studies, truth = 1000 if full else 400, np.full(2, world.mean(0))
    covered = [holds(world.study(generator).means, truth) for _ in range(studies)]
    least, most = (0.93, 0.975) if full else (0.91, 0.985)
    assert least <= np.nanmean(covered) <= most
