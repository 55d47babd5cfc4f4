from __future__ import annotations

import numpy as np
import pytest

from stability.statistics.gaussian_process import (
    fit_process,
    fitted_kernel,
    probability_bounds,
    smooth_kernel,
)


def sample(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    places = rng.random((n, 2))
    return places, rng.random(n) < np.where(places[:, 0] < 0.5, 0.95, 0.05)


def test_it_finds_the_side_and_is_surest_where_the_points_are() -> None:
    process = fit_process(*sample(150), smooth_kernel(2, 0))
    expected, low, high = probability_bounds(process, np.array([[0.2, 0.5], [0.8, 0.5], [9, 9]]), 0.95)
    assert expected[0] > 0.8
    assert expected[1] < 0.2
    assert (low <= expected).all()
    assert (expected <= high).all()
    assert high[2] - low[2] > max(high[0] - low[0], high[1] - low[1])


def test_more_confidence_means_lower_lower_bounds() -> None:
    process = fit_process(*sample(60), smooth_kernel(2, 0))
    places = np.random.default_rng(1).random((20, 2))
    bounds = [probability_bounds(process, places, confidence)[1] for confidence in (0.8, 0.95)]
    assert (bounds[1] < bounds[0]).all()


def test_pure_noise_raises_no_warning_and_keeps_its_scales_off_single_points() -> None:
    rng = np.random.default_rng(3)
    process = fit_process(rng.random((40, 3)), rng.random(40) < 0.5, smooth_kernel(2, 1))
    scales = np.atleast_1d(fitted_kernel(process).k1.k2.length_scale)
    assert len(scales) == 3
    assert (scales[:2] >= 0.15 * (1 - 1e-9)).all()


def test_without_optimising_the_kernel_stays() -> None:
    kernel = smooth_kernel(2, 0)
    process = fit_process(*sample(40), kernel, optimise=False)
    assert fitted_kernel(process).theta == pytest.approx(kernel.theta)
