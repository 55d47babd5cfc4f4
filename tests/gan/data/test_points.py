from __future__ import annotations

import math

import pytest
import torch

from stability.gan.data.points import PROBLEMS, draw_points, draw_problem
from stability.spec.study import POINT_DATASETS


def picture(points: list[tuple[float, ...]], extent: float = 1.0, side: int = 8) -> torch.Tensor:
    return draw_points(torch.tensor(points)[None, :, :, None, None], extent, side)[0, 0]


def brightest(image: torch.Tensor) -> tuple[int, int]:
    row, column = divmod(int(image.argmax()), image.shape[1])
    return row, column


def test_the_study_files_names_are_the_problems() -> None:
    assert tuple(PROBLEMS) == POINT_DATASETS


def test_ring_and_grid_are_pacgans() -> None:
    ring, grid, dirac = PROBLEMS.values()
    assert [(p.centres.shape, p.spread, p.tolerance) for p in (ring, grid)] == [
        ((8, 2), 0.01, pytest.approx(0.03)),
        ((25, 2), 0.05, pytest.approx(0.15)),
    ]
    torch.testing.assert_close(ring.centres.norm(dim=1), torch.ones(8, dtype=torch.float64))
    neighbours = (ring.centres - ring.centres.roll(1, 0)).norm(dim=1)
    torch.testing.assert_close(neighbours, torch.full((8,), 2 * math.sin(math.pi / 8), dtype=torch.float64))
    assert sorted({x for x, _ in grid.centres.tolist()}) == [-4, -2, 0, 2, 4]
    assert len({tuple(centre) for centre in grid.centres.tolist()}) == 25
    assert grid.names[:2] == ("(-4, -4)", "(-4, -2)")
    assert (dirac.centres.tolist(), dirac.spread, dirac.unit) == ([[0.0]], 0, dirac.tolerance)
    assert ring.unit == 0


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_points_have_the_moments_of_their_mode(name: str) -> None:
    problem = PROBLEMS[name]
    (train, labels), (test, _) = draw_problem(problem)
    assert len(set(torch.bincount(labels).tolist())) == 1  # even
    assert labels[:50].diff().ne(1).any()  # in random order
    for mode, centre in enumerate(problem.centres):
        own = train[labels == mode].flatten(1).double()
        assert (own.mean(0) - centre).abs().max() < 5 * problem.spread / math.sqrt(len(own))
        assert own.std(0).tolist() == pytest.approx([problem.spread] * 2, rel=0.05)
        assert abs(float(own.T.corrcoef()[0, 1])) < 0.08
    assert not torch.isin(test.flatten(1)[:, 0], train.flatten(1)[:, 0]).all()
    assert torch.equal(draw_problem(problem)[0][0], train)


def test_all_dirac_data_are_at_0() -> None:
    for points, labels in draw_problem(PROBLEMS["dirac"]):
        assert not points.any()
        assert not labels.any()


def test_pictures_have_y_upwards_and_x_to_the_right() -> None:
    assert brightest(picture([(-0.9, 0.9)])) == (0, 0)
    assert brightest(picture([(0.9, 0.9)])) == (0, 7)
    assert brightest(picture([(0.9, -0.9)])) == (7, 7)
    assert brightest(picture([(0.4, 0.1)], extent=10.0)) == (3, 4)


def test_more_points_are_brighter_and_the_fullest_pixel_is_white() -> None:
    image = picture([(-0.9, 0.9)] * 20 + [(0.9, -0.9)] * 3 + [(0.9, 0.9)])
    assert image[0, 0] == 255
    assert 255 > image[7, 7] > image[0, 7] == 128
    assert image[1, 1] == 128  # the halo
    assert image[4, 4] == 0


def test_what_cannot_be_drawn_is_left_out() -> None:
    nan, inf = math.nan, math.inf
    outside = [(nan, 0.0), (0.0, nan), (inf, 0.0), (-inf, 0.0), (1.1, 0.0), (0.0, -1.1), (1e38, 1e38)]
    assert not picture(outside).any()
    assert torch.equal(picture([*outside, (0.5, 0.5)]), picture([(0.5, 0.5)]))
    assert not picture([(nan,), (inf,)]).any()


def test_one_dimensional_points_lie_at_y_0() -> None:
    assert torch.equal(picture([(-0.6,), (0.3,)]), picture([(-0.6, 0.0), (0.3, 0.0)]))


def test_every_member_has_its_own_picture() -> None:
    points = torch.rand(3, 40, 2, 1, 1, generator=torch.Generator().manual_seed(0)) * 2 - 1
    together = draw_points(points, 1.0)
    assert (together.shape, together.dtype) == ((3, 1, 64, 64), torch.uint8)
    for k in range(3):
        assert torch.equal(together[k : k + 1], draw_points(points[k : k + 1], 1.0))
