from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import torch

from stability.gan.metrics.fid import Statistics, feature_statistics, fid, fid_floor


def features(n: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(64, 64, generator=torch.Generator().manual_seed(99), dtype=torch.float64) / 8
    return shift + scale * torch.randn(n, 64, generator=generator, dtype=torch.float64) @ mixing


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1.3, 0.2), (0.1, 5.0)])
def test_equals_the_textbook_formula(scale: float, shift: float) -> None:
    a, b = features(500, 0).numpy(), features(400, 1, scale, shift).numpy()
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    textbook = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root)
    found = fid(feature_statistics(torch.from_numpy(a)), feature_statistics(torch.from_numpy(b)))
    assert found == pytest.approx(textbook, rel=1e-6)


def test_gaussians_of_known_moments() -> None:
    zero, ones = np.zeros(3), np.ones(3)
    narrow, wide = Statistics(zero, np.diag([1.0, 4.0, 9.0])), Statistics(ones, np.diag([4.0, 4.0, 1.0]))
    # diagonal covariances: |1 - 0|^2 * 3 + (1 - 2)^2 + (2 - 2)^2 + (3 - 1)^2
    assert fid(narrow, wide) == pytest.approx(8, rel=1e-12)
    assert fid(narrow, narrow) == pytest.approx(0, abs=1e-12)


def test_statistics_are_the_sample_moments() -> None:
    found = feature_statistics(torch.tensor([[1.0, 0.0], [3.0, 4.0]]))
    assert found.mean.tolist() == [2, 2]
    assert found.covariance.tolist() == [[2, 4], [4, 8]]
    assert found.covariance.dtype == np.float64


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e200])
def test_what_is_not_finite_is_a_value(bad: float, capfd: pytest.CaptureFixture[str]) -> None:
    broken = features(50, 0)
    broken[3, 4] = bad
    assert math.isnan(fid(feature_statistics(broken), feature_statistics(features(50, 1))))
    assert capfd.readouterr() == ("", "")


def test_failing_eigenvalues_are_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(matrix: np.ndarray) -> np.ndarray:
        raise np.linalg.LinAlgError("no convergence")

    monkeypatch.setattr(np.linalg, "eigvals", fail)
    statistics = feature_statistics(features(50, 0))
    assert math.isnan(fid(statistics, statistics))


def test_one_repeated_image_has_a_finite_distance() -> None:
    reference = feature_statistics(features(500, 0))
    row = features(1, 1)
    repeated = feature_statistics(row.expand(100, -1))
    expected = ((row[0].numpy() - reference.mean) ** 2).sum() + np.trace(reference.covariance)
    assert fid(repeated, reference) == pytest.approx(expected, rel=1e-4)


def test_the_floor_falls_with_the_sample_size_and_is_reproducible() -> None:
    train, test = features(3000, 0), feature_statistics(features(2000, 1))
    floors = [fid_floor(train, test, n, generator=torch.Generator().manual_seed(5)) for n in (100, 400, 100)]
    assert floors[0] == floors[2]
    assert floors[0].mean > 2 * floors[1].mean > 0
    assert (floors[0].n, floors[0].draws) == (100, 20)
    assert 0 < floors[0].std < floors[0].mean


def test_the_floor_needs_enough_images() -> None:
    statistics = feature_statistics(features(50, 0))
    with pytest.raises(ValueError, match="100 images cannot be drawn from 50"):
        fid_floor(features(50, 0), statistics, 100, generator=torch.Generator())


def test_one_feature() -> None:
    """Means 0 and 2, variances 1 and 9: 2^2 + (1 - 3)^2."""
    a, b = torch.tensor([[-1.0], [0.0], [1.0]]), torch.tensor([[-1.0], [2.0], [5.0]])
    assert fid(feature_statistics(a), feature_statistics(b)) == pytest.approx(8)


def test_points_that_are_all_equal() -> None:
    at_zero, at_two = feature_statistics(torch.zeros(9, 1)), feature_statistics(torch.full((9, 1), 2.0))
    assert fid(at_zero, at_zero) == 0
    assert fid(at_zero, at_two) == 4
    floor = fid_floor(torch.zeros(50, 1), at_zero, 9, generator=torch.Generator().manual_seed(0))
    assert (floor.mean, floor.std) == (0, 0)
