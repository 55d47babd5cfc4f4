"""A Gaussian process for yes and no, and what it says of a place. Arrays in, arrays out."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel, Matern


def smooth_kernel(n_axes: int, n_columns: int) -> Kernel:
    """Matern 5/2 over axes of the unit cube and 0-1 columns of factors, each with a length scale of its own.

    It stays smooth over about a seventh of an axis at least, so that it cannot follow single points. A
    constant lets the overall level be other than one half.
    """
    scales = [0.3] * n_axes + [1.0] * n_columns
    bounds = [(0.15, 2.0)] * n_axes + [(0.3, 10.0)] * n_columns
    return ConstantKernel(4.0, (0.5, 50.0)) * Matern(scales, bounds, nu=2.5) + ConstantKernel(4.0, "fixed")


def fit_process(
    inputs: NDArray[np.float64], happened: NDArray[np.bool_], kernel: Kernel, *, optimise: bool = True
) -> GaussianProcessClassifier:
    """Fit to rows that must hold both a yes and a no; without `optimise` the kernel stays as it is."""
    process = GaussianProcessClassifier(kernel, optimizer="fmin_l_bfgs_b" if optimise else None)
    with warnings.catch_warnings():
        # A length scale at its bound is no failure: the data only say that it is as long, or longer.
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(inputs, happened)
    return process


def fitted_kernel(process: GaussianProcessClassifier) -> Kernel:
    """The kernel with the values that the fit found."""
    return process.base_estimator_.kernel_


def probability_bounds(
    process: GaussianProcessClassifier, places: NDArray[np.float64], confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Expected probability at every place, and its one-sided lower and upper bound at `confidence`.

    The bounds are those of the latent function, which is normal, carried through the logistic curve.
    """
    mean, variance = process.latent_mean_and_variance(places)
    half = norm.ppf(confidence) * np.sqrt(variance)
    expected = process.predict_proba(places)[:, 1]
    low, high = expit(mean - half), expit(mean + half)
    return expected, np.minimum(low, expected), np.maximum(high, expected)
