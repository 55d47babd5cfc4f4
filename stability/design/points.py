"""The points of the samplers that are fixed before the first run.

Point i depends on the space, the study's seed and i alone, so a longer design extends a shorter one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler, QMCSampler, RandomSampler

from stability.design.seeds import Purpose, sampler_seed
from stability.design.space import from_unit, grid_points, quiet_optuna
from stability.spec.study import CONFIGURATION, StudySpec


def draw_points(spec: StudySpec) -> list[dict[str, Any]]:
    """The values of the sampled parameters, or the configuration's name, point by point; nothing crossed.

    Raises `KeyError` for a sampler that searches (`tpe`), whose points follow from results.
    """
    return DRAWS[spec.design.sampler](spec)


def _sobol(spec: StudySpec) -> list[dict[str, Any]]:
    """A scrambled Sobol sequence: a power of 2 of points fills as many strata in every parameter."""
    # Optuna draws a study's first trial by other means, so it is asked for one more and that is dropped.
    return _unit_points(spec, _sobol_sampler, skipped=1)


def _random(spec: StudySpec) -> list[dict[str, Any]]:
    return _unit_points(spec, lambda seed: RandomSampler(seed=seed), skipped=0)


def _sobol_sampler(seed: int) -> BaseSampler:
    return QMCSampler(qmc_type="sobol", scramble=True, seed=seed)


def _unit_points(
    spec: StudySpec, make_sampler: Callable[[int], BaseSampler], *, skipped: int
) -> list[dict[str, Any]]:
    """Every parameter is one uniform dimension, which is mapped here: so choices are stratified, too."""
    factors = spec.sampled
    unit: dict[str, BaseDistribution] = {name: FloatDistribution(0.0, 1.0) for name in factors}
    with quiet_optuna():
        sampler = make_sampler(sampler_seed(spec.design.seed, Purpose.POINTS))
        study = optuna.create_study(sampler=sampler)
        trials = [study.ask(fixed_distributions=unit) for _ in range(spec.design.points + skipped)]
    return [
        {name: from_unit(factor, trial.params[name]) for name, factor in factors.items()}
        for trial in trials[skipped:]
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
