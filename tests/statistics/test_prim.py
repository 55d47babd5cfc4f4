from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stability.statistics.prim import Box, Sample, widest_box


def sample(n: int, seed: int, *, low: float = 0.0, high: float = 1.0) -> Sample:
    """It always happens where the first coordinate lies between `low` and `high`, and nowhere else."""
    cube = np.random.default_rng(seed).random((n, 3))
    inside = (cube[:, 0] >= low) & (cube[:, 0] <= high)
    return Sample(cube, 2 * inside.astype(np.int64), np.full(n, 2))


def test_where_the_whole_cube_will_do_it_is_the_box() -> None:
    box = widest_box(sample(30, 0), 0.8, 5)
    assert box.volume == 1


def test_a_slab_is_found_and_left_whole_along_the_other_axes() -> None:
    box = widest_box(sample(300, 1, low=0.3, high=0.7), 1.0, 5)
    assert box.low[0] == pytest.approx(0.3, abs=0.03)
    assert box.high[0] == pytest.approx(0.7, abs=0.03)
    assert box.low[1:].tolist() == [0, 0]
    assert box.high[1:].tolist() == [1, 1]


def test_a_target_out_of_reach_gives_the_highest_share_found() -> None:
    rng = np.random.default_rng(2)
    cube = rng.random((200, 2))
    counts = (rng.random(200) < np.where(cube[:, 0] < 0.5, 0.6, 0.1)).astype(np.int64)
    data = Sample(cube, counts, np.ones(200, dtype=np.int64))
    box = widest_box(data, 1.01, 20)
    assert data.share(data.inside(box)) > counts.mean()
    assert data.inside(box).sum() >= 20


def test_where_nothing_happens_the_whole_cube_is_as_good_as_any() -> None:
    assert widest_box(sample(20, 3, low=2, high=3), 0.8, 5).volume == 1


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.floats(0.1, 0.9), st.integers(6, 40))
def test_every_box_holds_enough_points_and_no_lower_share_than_the_cube(
    seed: int, high: float, n: int
) -> None:
    data = sample(n, seed, high=high)
    box = widest_box(data, 0.8, 5)
    inside, everything = data.inside(box), np.ones(n, dtype=bool)
    assert inside.sum() >= 5
    assert data.share(inside) >= min(0.8, data.share(everything))
    assert (box.low >= 0).all()
    assert (box.high <= 1).all()
    assert (box.low < box.high).all()


def test_points_at_one_spot_cannot_be_split() -> None:
    data = Sample(np.full((10, 1), 0.5), np.array([0, 1] * 5), np.ones(10, dtype=np.int64))
    assert widest_box(data, 0.8, 5).volume == 1


def test_a_box_s_volume_is_its_sides_product() -> None:
    box = Box(np.array([0.0, 0.25]), np.array([0.5, 0.75]))
    assert box.volume == 0.25
    assert box.holds(np.array([[0.5, 0.25], [0.6, 0.5]])).tolist() == [True, False]
