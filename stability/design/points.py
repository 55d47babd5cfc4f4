"""The points of the samplers that are fixed before the first run.

Point i depends on the space, the study's seed and i alone, so a longer design extends a shorter one. They are
what Optuna's own samplers drew in the first versions, one by one, and stay so for the studies that have them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stability.design.seeds import Purpose, sampler_seed
from stability.design.space import from_unit, grid_points
from stability.spec.study import CONFIGURATION, StudySpec


def draw_points(spec: StudySpec) -> list[dict[str, Any]]:
    """The values of the sampled parameters, or the configuration's name, point by point; nothing crossed.

    Raises `KeyError` for a sampler that searches (`tpe`), whose points follow from results.
    """
    return DRAWS[spec.design.sampler](spec)


def _sobol(spec: StudySpec) -> list[dict[str, Any]]:
    """A scrambled Sobol sequence: a power of 2 of points fills as many strata in every parameter."""
    from scipy.stats.qmc import Sobol  # takes a second, which whoever draws nothing is spared

    sequence = Sobol(len(spec.sampled), seed=_seed(spec))  # by `rng` the sequence would be another
    return _points(spec, sequence.random_base2((spec.design.points - 1).bit_length()))


def _random(spec: StudySpec) -> list[dict[str, Any]]:
    generator = np.random.RandomState(_seed(spec))
    return _points(spec, generator.random_sample((spec.design.points, len(spec.sampled))))


def _seed(spec: StudySpec) -> int:
    return sampler_seed(spec.design.seed, Purpose.POINTS)


def _points(spec: StudySpec, unit: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Every parameter is one uniform dimension, which is mapped here: so choices are stratified, too."""
    factors = spec.sampled.items()
    return [
        {name: from_unit(factor, share) for (name, factor), share in zip(factors, shares, strict=True)}
        for shares in unit[: spec.design.points].tolist()
    ]


def _given(spec: StudySpec) -> list[dict[str, Any]]:
    """The study file's own configurations, by their names: its points, drawn from nothing."""
    return [{CONFIGURATION: name} for name in spec.configs]


DRAWS: dict[str, Callable[[StudySpec], list[dict[str, Any]]]] = {
    "sobol": _sobol,
    "random": _random,
    "grid": grid_points,
    "given": _given,
}
