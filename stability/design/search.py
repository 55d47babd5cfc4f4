"""The search: the next points in the light of the finished ones. Its runs never enter a rate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.samplers import TPESampler

from stability.design.seeds import Purpose, sampler_seed
from stability.design.space import native_distributions, quiet_optuna
from stability.spec.study import StudySpec

ROUND = 8
"""Points asked for at once."""


@dataclass(frozen=True, slots=True)
class FinishedPoint:
    """A point all of whose runs have ended."""

    params: Mapping[str, Any]
    """The point as it was asked for; more keys, such as crossed levels, do no harm."""
    share_success: float
    """Share of its runs that ended stable or nearly stable."""
    median_fid_ratio: float
    """Median over its runs; NaN, the worst there is, where a run has none."""


def next_points(spec: StudySpec, finished: Sequence[FinishedPoint], n: int) -> list[dict[str, Any]]:
    """`n` more points by a tree-structured Parzen estimator; the same finished points give the same.

    The study is rebuilt in memory at every call, so that nothing but results has to be stored.
    """
    distributions = native_distributions(spec, with_crossed=False)
    with quiet_optuna():
        seed = sampler_seed(spec.design.seed, Purpose.SEARCH, len(finished))
        sampler = TPESampler(seed=seed, multivariate=True, constant_liar=True)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for point, value in zip(finished, objectives(finished), strict=True):
            params = {name: point.params[name] for name in distributions}
            study.add_trial(
                optuna.trial.create_trial(params=params, distributions=distributions, value=value)
            )
        return [dict(study.ask(fixed_distributions=distributions).params) for _ in range(n)]


def objectives(finished: Sequence[FinishedPoint]) -> list[float]:
    """What Optuna maximises, always finite: a point's rank by its successes, then by median FID ratio.

    The estimator reads nothing but the order of the values, and a rank has no tie-breaking weight to choose.
    """
    keys = [_key(point) for point in finished]
    ranks = {key: float(rank) for rank, key in enumerate(sorted(set(keys)))}
    return [ranks[key] for key in keys]


def _key(point: FinishedPoint) -> tuple[float, float]:
    ratio = math.inf if math.isnan(point.median_fid_ratio) else point.median_fid_ratio
    return (point.share_success, -ratio)
