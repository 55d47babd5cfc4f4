from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr, ndtri, stdtrit
from scipy.stats import norm
from statsmodels.stats.power import TTestPower

from stability.questions.power.estimate import (
    ALPHA,
    BASE,
    DIFFERENCES,
    OTHER_LEVEL,
    SAME_LEVEL,
    WANTED,
    Sizes,
    half_width,
    outlook,
    power,
    sizes_of,
    units_needed,
)
from stability.spec import Choice, Design, Range, StudySpec

LOSSES = Choice(values=("minimax", "hinge", "wasserstein"))
LR = Range(low=1e-4, high=1e-2, log=True)


def study(space: dict[str, Any], **design: Any) -> StudySpec:
    return StudySpec(name="s", space=space, design=Design(**design))


def told_apart(sizes: Sizes, first: float, second: float, studies: int = 1000) -> float:
    """The power as simulated: runs of a point share its effect, those of a cell the cell's as well."""
    rng = np.random.default_rng([sizes.units, sizes.runs, sizes.levels])
    point, cell = (np.sqrt(part) for part in (OTHER_LEVEL, SAME_LEVEL - OTHER_LEVEL))
    common = rng.normal(0, point, (2, studies, sizes.each, 1))
    common[1] = common[0] if sizes.crossed else common[1]
    shares = []
    for share, effect in zip((first, second), common, strict=True):
        effects = effect + rng.normal(0, cell, (studies, sizes.each, sizes.cells))
        chances = ndtr((ndtri(share) + effects) / np.sqrt(1 - SAME_LEVEL))
        shares.append((rng.binomial(sizes.runs, chances) / sizes.runs).mean(axis=2))
    ahead = shares[1].mean(axis=1) - shares[0].mean(axis=1)
    if sizes.crossed:
        error, df = (shares[1] - shares[0]).std(axis=1, ddof=1), sizes.each - 1
    else:
        error, df = np.hypot(*(side.std(axis=1, ddof=1) for side in shares)), 2 * sizes.each - 2
    bar = stdtrit(df, 1 - ALPHA / sizes.pairs / 2)
    return float((ahead > bar * error / np.sqrt(sizes.each)).mean())


@pytest.mark.parametrize("levels", [2, 5])
@pytest.mark.parametrize(("runs", "cells"), [(1, 1), (3, 1), (1, 2)])
@pytest.mark.parametrize("points", [16, 64])
def test_the_power_is_that_of_simulated_studies(points: int, runs: int, cells: int, levels: int) -> None:
    sizes = Sizes(points, "point", runs, cells, "loss", levels)
    for second in (0.3, 0.4, 0.6):
        assert power(sizes, 0.2, second) == pytest.approx(told_apart(sizes, 0.2, second), abs=0.09)


def test_the_power_of_levels_at_points_of_their_own() -> None:
    sizes = Sizes(64, "point", 2, 1, "loss", 2, crossed=False)
    assert power(sizes, 0.2, 0.4) == pytest.approx(told_apart(sizes, 0.2, 0.4), abs=0.06)
    assert power(sizes, 0.2, 0.4) < power(replace(sizes, crossed=True), 0.2, 0.4)


def test_seeds_of_one_setting_are_independent() -> None:
    """A plain paired t-test on differences of independent yes and no."""
    sizes = Sizes(100, "seed", factor="loss", levels=2)
    effect = 0.2 / np.sqrt(0.2 * 0.8 + 0.4 * 0.6)
    expected = TTestPower().power(effect, 100, ALPHA, alternative="two-sided")
    assert power(sizes, 0.2, 0.4) == pytest.approx(expected, abs=1e-6)
    assert half_width(sizes, 0.5) == pytest.approx(
        norm.ppf(0.975) * np.sqrt(0.25 / (100 + norm.ppf(0.975) ** 2))
    )


def test_equal_levels_are_rarely_told_apart_and_far_ones_always() -> None:
    sizes = Sizes(64, "point", 2, 1, "loss", 2)
    assert power(sizes, 0.3, 0.3) == pytest.approx(ALPHA / 2)
    assert power(replace(sizes, units=20_000), 0.1, 0.9) == 1.0
    assert power(sizes, 0.2, 0.4) == pytest.approx(power(sizes, 0.4, 0.2))


def test_the_units_needed_have_the_power() -> None:
    sizes = Sizes(4, "point", 2, 1, "loss", 5)
    needed = units_needed(sizes, 0.2, 0.4)
    assert needed is not None
    assert power(replace(sizes, units=needed), 0.2, 0.4) >= WANTED
    assert power(replace(sizes, units=needed // 2), 0.2, 0.4) < WANTED
    assert units_needed(sizes, 0.2, 0.2001) is None


def test_what_cannot_be_compared_has_no_power() -> None:
    assert math.isnan(power(Sizes(64), 0.2, 0.4))
    assert math.isnan(power(Sizes(1, "point", factor="loss", levels=2), 0.2, 0.4))
    assert math.isnan(power(Sizes(9, "point", factor="loss", levels=5, crossed=False), 0.2, 0.4))


def test_more_of_everything_narrows_an_interval() -> None:
    one = Sizes(16)
    widths = [half_width(sizes, 0.5) for sizes in (one, replace(one, runs=3), replace(one, runs=3, cells=2))]
    assert widths == sorted(widths, reverse=True)
    assert half_width(replace(one, units=64), 0.5) < widths[-1]
    assert half_width(replace(one, factor="loss", levels=2, crossed=False), 0.5) > widths[0]


def test_the_sizes_of_a_study() -> None:
    space = {"loss": LOSSES, "architecture": Choice(values=("mlp", "dcgan")), "lr": LR}
    both = study(space, points=8, seeds=3, cross=("architecture", "loss"))
    assert sizes_of(both, 8) == Sizes(8, "point", 3, 2, "loss", 3)
    apart = study(space, points=8, seeds=3, cross=("architecture",))
    assert sizes_of(apart, 8) == Sizes(8, "point", 3, 2, "loss", 3, crossed=False)
    assert sizes_of(study({"lr": LR}, points=8), 8) == Sizes(8)
    assert sizes_of(study({"lr": LR}, points=1, seeds=9), 1) == Sizes(9, "seed")
    assert sizes_of(study({"loss": LOSSES}, points=1, seeds=50), 1) == Sizes(50, "seed", 1, 1, "loss", 3)


def test_the_outlook_names_what_is_told_and_what_it_takes() -> None:
    found = outlook(Sizes(32, "point", 2, 1, "loss", 5))
    assert (found["unit"], found["factor"], found["pairs"]) == ("point", "loss", 10)
    assert [told["shares"] for told in found["told"]] == [
        [BASE, round(BASE + more, 2)] for more in DIFFERENCES
    ]
    small, large = found["told"]
    assert small["power"] < large["power"]
    assert small["points_needed"] > large["points_needed"]
    assert set(found["half_width"]) == {"0.2", "0.5"}
    assert outlook(Sizes(32))["told"] == outlook(Sizes(1, "point", factor="loss", levels=2))["told"] == []
    assert "seeds_needed" in outlook(Sizes(32, "seed", factor="loss", levels=2))["told"][0]
