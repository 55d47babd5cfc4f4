from __future__ import annotations

from typing import get_args

import pytest
import torch

from stability.gan.data.inputs import RANGES, in_range, label_planes, packed, with_labels
from stability.spec.config import InputRange


def test_the_study_file_accepts_exactly_the_ranges_there_are() -> None:
    assert set(get_args(InputRange)) == set(RANGES)


@pytest.mark.parametrize("name", RANGES)
def test_the_ends_of_the_range_are_reached(name) -> None:
    images = torch.tensor([-1.0, 0.0, 1.0]).reshape(1, 3, 1, 1, 1)
    low, high = RANGES[name]
    assert in_range(images, name).flatten().tolist() == [low, (low + high) / 2, high]


def test_packs_hold_neighbours_as_channels_and_leave_out_the_rest() -> None:
    images = torch.arange(2 * 5 * 3 * 2 * 2).reshape(2, 5, 3, 2, 2).float()
    packs = packed(images, 2)
    assert packs.shape == (2, 2, 6, 2, 2)
    assert torch.equal(packs[1, 1, :3], images[1, 2])
    assert torch.equal(packs[1, 1, 3:], images[1, 3])
    assert packed(images, 1) is images


def test_label_planes_are_ones_for_the_class_alone() -> None:
    images = torch.zeros(1, 3, 1, 4, 4)
    planes = label_planes(torch.tensor([[2, 0, 1]]), 3, images)
    assert planes.shape == (1, 3, 3, 4, 4)
    assert planes[0, :, :, 1, 2].tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    assert (planes.amin((-1, -2)) == planes.amax((-1, -2))).all()


def test_latent_points_carry_their_class_behind_them() -> None:
    z = torch.randn(1, 2, 3)
    found = with_labels(z, torch.tensor([[1, 0]]), 2)
    assert torch.equal(found[..., :3], z)
    assert found[0, :, 3:].tolist() == [[0, 1], [1, 0]]
    assert with_labels(z, None, 0) is z
