"""The sampled space in three forms: as a unit cube, as a grid, and as Optuna's own distributions."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning

from stability.spec.study import Choice, Range, StudySpec, between


def from_unit(factor: Range | Choice, share: float) -> Any:
    """The value at a share (from 0 to 1) of the factor's prior; equal shares have equal probability."""
    if isinstance(factor, Choice):
        return factor.values[min(int(share * len(factor.values)), len(factor.values) - 1)]
    if factor.integer:
        return _integer_from_unit(factor, share)
    return min(max(between(factor.low, factor.high, share, log=factor.log), factor.low), factor.high)


def grid_points(spec: StudySpec) -> list[dict[str, Any]]:
    """Every combination of the sampled factors' values; the last name varies fastest."""
    factors = spec.sampled
    values = [factor.values if isinstance(factor, Choice) else factor.grid() for factor in factors.values()]
    return [dict(zip(factors, combination, strict=True)) for combination in itertools.product(*values)]


def native_distributions(spec: StudySpec, *, with_crossed: bool = True) -> dict[str, BaseDistribution]:
    """Optuna's distribution of every parameter in space and of names, in order of name."""
    every = spec.factors
    factors = {name: every[name] for name in sorted(every)} if with_crossed else spec.sampled
    return {name: _native(factor) for name, factor in factors.items()}


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Without Optuna's log lines, and without the warnings that it marks as experimental."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)


def _integer_from_unit(factor: Range, share: float) -> int:
    """Integers own the interval half a step around them, as in Optuna's logarithmic integers."""
    value = between(factor.low - 0.5, factor.high + 0.5, share, log=factor.log)
    return int(min(max(math.floor(value + 0.5), factor.low), factor.high))


def _native(factor: Range | Choice) -> BaseDistribution:
    if isinstance(factor, Choice):
        return CategoricalDistribution(factor.values)
    if factor.integer:
        return IntDistribution(int(factor.low), int(factor.high), log=factor.log)
    return FloatDistribution(factor.low, factor.high, log=factor.log)
