"""Frechet distance between features (FID) and its floor, by torch-fidelity's statistics functions.

The library takes seconds to import, so only who computes a distance does.

Everything is float64, in memory, on the CPU. May not import store, design, runner, outcomes, Optuna
or pandas.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

FLOOR_DRAWS = 20


@dataclass(frozen=True)
class Statistics:
    """Mean `[features]` and covariance `[features, features]` of features, float64."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @property
    def variance(self) -> float:
        """Of all features together: what FID would be of an imaginary sample that is always their mean."""
        return float(np.trace(self.covariance))


@dataclass(frozen=True)
class FidFloor:
    """FID of `n` training images against the test images: what perfect samples would score."""

    mean: float
    std: float
    """Standard deviation over the draws (one draw's spread, not the mean's error)."""
    draws: int
    n: int


def feature_statistics(features: Float[Tensor, "n features"]) -> Statistics:
    """Mean and covariance (divided by n - 1) of at least two rows; NaN where features are not finite."""
    from torch_fidelity import metric_fid

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # overflow shows in the result
        found = metric_fid.fid_features_to_statistics(features.detach().cpu().double())
    return Statistics(found["mu"], np.atleast_2d(found["sigma"]))  # of one feature it is a plain number


def fid(a: Statistics, b: Statistics) -> float:
    """Squared Frechet distance |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of two Gaussians.

    NaN where the statistics are not finite or their eigenvalues cannot be computed, never an exception.
    Source: Heusel et al. 2017, "GANs trained by a two time-scale update rule", eq. 6.
    """
    from torch_fidelity import metric_fid

    if not all(np.isfinite(array).all() for array in (a.mean, a.covariance, b.mean, b.covariance)):
        return math.nan
    statistics = [{"mu": each.mean, "sigma": each.covariance} for each in (a, b)]
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = metric_fid.fid_statistics_to_metric(*statistics, verbose=False)
    except (ValueError, ArithmeticError, AssertionError, np.linalg.LinAlgError):
        return math.nan
    return float(found[metric_fid.KEY_METRIC_FID])


def fid_floor(
    train_features: Float[Tensor, "n features"],
    test_statistics: Statistics,
    n: int,
    *,
    generator: torch.Generator,
    draws: int = FLOOR_DRAWS,
) -> FidFloor:
    """Mean and spread of the FID of `draws` random draws of `n` different training images each.

    Raises ValueError when there are fewer than `n` training images.
    """
    if n > len(train_features):
        raise ValueError(f"{n} images cannot be drawn from {len(train_features)}")
    scores = []
    for _ in range(draws):
        rows = torch.randperm(len(train_features), generator=generator)[:n]
        drawn = feature_statistics(train_features[rows.to(train_features.device)])
        scores.append(fid(drawn, test_statistics))
    return FidFloor(mean=float(np.mean(scores)), std=float(np.std(scores, ddof=1)), draws=draws, n=n)
