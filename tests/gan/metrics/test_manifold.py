from __future__ import annotations

import math

import pytest
import torch

from stability.gan.metrics.manifold import diversity, manifold, nearest, prdc, relative, spread


def normal(n: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(n, 8, generator=torch.Generator().manual_seed(seed)) + shift


def test_equals_the_definitions_written_as_loops() -> None:
    real, fake, k = normal(40, 0), normal(30, 1, 0.7), 3
    real_radius = [sorted((a - b).norm().item() for b in real)[k] for a in real]
    fake_radius = [sorted((a - b).norm().item() for b in fake)[k] for a in fake]
    pairs = [[(a - b).norm().item() for b in fake] for a in real]
    inside = [[d < r for d in row] for row, r in zip(pairs, real_radius, strict=True)]
    found = prdc(manifold(real, k), manifold(fake, k))
    assert found.precision == pytest.approx(sum(any(row[j] for row in inside) for j in range(30)) / 30)
    assert found.recall == pytest.approx(
        sum(any(d < r for d, r in zip(row, fake_radius, strict=True)) for row in pairs) / 40
    )
    assert found.density == pytest.approx(sum(map(sum, inside)) / (k * 30))
    assert found.coverage == pytest.approx(sum(map(any, inside)) / 40)
    assert 0 < found.precision < 1
    assert 0 < found.recall < 1


def test_radii_on_a_line() -> None:
    line = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert manifold(line, 1).radii.tolist() == [1, 1, 2, 4]
    assert manifold(line, 2).radii.tolist() == [3, 2, 3, 6]
    assert manifold(line, 2).spread == pytest.approx((1 + 3 + 7 + 2 + 6 + 4) / 6)


def test_equal_distributions_score_high_and_distant_ones_nothing() -> None:
    real = manifold(normal(500, 0))
    near = prdc(real, manifold(normal(500, 1)))
    assert min(near.precision, near.recall, near.coverage) > 0.85
    assert near.density == pytest.approx(1, abs=0.15)
    far = prdc(real, manifold(normal(500, 2, 50.0)))
    assert (far.precision, far.recall, far.density, far.coverage) == (0, 0, 0, 0)


def test_one_repeated_point_has_no_diversity_and_no_recall() -> None:
    real = manifold(normal(200, 0))
    repeated = manifold(normal(1, 1).mul(0.1).expand(200, -1))
    assert diversity(real, repeated) == 0
    found = prdc(real, repeated)
    assert found.precision == 1
    assert found.recall == 0
    assert diversity(real, real) == 1


def test_diversity_is_scale() -> None:
    x = normal(100, 0)
    assert diversity(manifold(x), manifold(3 * x + 2)) == pytest.approx(3, rel=1e-5)


def test_what_is_not_finite_is_nan() -> None:
    broken = normal(50, 0)
    broken[7, 2] = torch.nan
    real, fake = manifold(normal(50, 1)), manifold(broken)
    found = prdc(real, fake)
    assert all(map(math.isnan, (found.precision, found.recall, found.density, found.coverage)))
    assert math.isnan(diversity(real, fake))


def test_too_few_points() -> None:
    with pytest.raises(ValueError, match="the 5-th neighbour needs more than 5 rows, not 5"):
        manifold(normal(5, 0))


def test_nearest_is_the_smallest_distance_across_chunks() -> None:
    queries, references = normal(20, 0), normal(5000, 1)
    expected = torch.cdist(queries.double(), references.double()).min(1).values
    torch.testing.assert_close(nearest(queries, references).double(), expected, rtol=1e-5, atol=1e-6)


def test_a_copy_is_at_distance_zero_even_far_from_the_origin() -> None:
    references = normal(5000, 1, 100.0)
    assert nearest(references[2500:2600], references).max().item() == 0


@pytest.mark.parametrize("features", [2, 8])
def test_nearest_of_nan_is_nan(features: int) -> None:
    queries = normal(3, 0)[:, :features]
    queries[1, 0] = torch.nan
    assert nearest(queries, normal(10, 1)[:, :features]).isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("features", [1, 2, 3])
def test_nearest_among_many_close_points_is_exact(features: int) -> None:
    queries, references = normal(20, 0)[:, :features] * 1e-4 + 4, normal(5000, 1)[:, :features] * 1e-4 + 4
    expected = torch.cdist(queries.double(), references.double(), compute_mode="donot_use_mm_for_euclid_dist")
    torch.testing.assert_close(nearest(queries, references), expected.amin(1).float(), rtol=1e-6, atol=0)


def test_equal_points_have_the_least_radius() -> None:
    equal = torch.zeros(10, 1)
    assert manifold(equal, least_radius=0.5).radii.tolist() == [0.5] * 10
    assert manifold(equal).radii.tolist() == [0] * 10
    line = torch.arange(10.0)[:, None]
    assert torch.equal(manifold(line, least_radius=0.5).radii, manifold(line).radii)
    real = manifold(equal, least_radius=0.5)
    inside, outside = (
        prdc(real, manifold(torch.full((8, 1), at), least_radius=0.5)) for at in (0.499, 0.501)
    )
    assert (inside.precision, inside.recall, inside.coverage) == (1, 1, 1)
    assert inside.density == 10 / 5  # every fake lies in all ten balls
    assert (outside.precision, outside.recall, outside.density, outside.coverage) == (0, 0, 0, 0)


def test_relative_to_reals_that_are_all_equal() -> None:
    assert relative(6.0, 3.0) == relative(6.0, 3.0, unit=0.1) == 2
    assert relative(0.0, 0.0) == relative(0.0, 0.0, unit=0.1) == 1
    assert relative(0.3, 0.0, unit=0.1) == pytest.approx(4)
    assert relative(0.3, 0.0) == math.inf
    assert math.isnan(relative(math.nan, 0.0))
    assert math.isnan(relative(math.nan, 0.0, unit=0.1))
    equal, line = manifold(torch.zeros(6, 1)), manifold(torch.arange(6.0)[:, None])
    assert diversity(equal, equal) == 1
    assert diversity(equal, line, unit=0.5) == pytest.approx(1 + line.spread / 0.5)


def test_spread_is_the_mean_distance_of_pairs() -> None:
    assert spread(torch.tensor([[0.0], [1.0], [5.0]])) == pytest.approx((1 + 5 + 4) / 3)
    assert math.isnan(spread(torch.zeros(1, 2)))
