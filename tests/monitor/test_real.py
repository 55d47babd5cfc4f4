from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from stability.errors import StabilityError
from stability.monitor.real import MOST_TRAIN, Scale, as_images, read_real

CPU = torch.device("cpu")


def images(n: int = 40) -> Tensor:
    return torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(3))


def batches() -> Iterator[Tensor]:
    yield from images().split(7)


@pytest.mark.parametrize(
    "given",
    [
        images(),
        images().numpy(),
        images()[:, 0],
        TensorDataset(images(), torch.zeros(40)),
        DataLoader(TensorDataset(images()), batch_size=16),
        list(images()),
        batches(),
    ],
    ids=["tensor", "array", "no channel", "data set", "loader", "list", "generator"],
)
def test_real_examples_in_any_form_are_the_same(given: Any) -> None:
    found = read_real(given, None, CPU, pytest.fail)
    assert torch.equal(found.held_out, images()[::10])
    assert torch.equal(found.train, images()[torch.arange(40) % 10 != 0])
    assert found.scale == Scale(0.0, 1.0)


def test_of_very_many_examples_some_are_compared_with_and_that_is_said() -> None:
    said: list[str] = []
    found = read_real(torch.zeros(MOST_TRAIN * 2, 2), torch.ones(5, 2), CPU, said.append)
    assert (len(found.train), len(found.held_out)) == (MOST_TRAIN, 5)
    assert said == ["compared with 10,000 of 20,000 real examples"]


@pytest.mark.parametrize(
    "given", [torch.zeros(4), torch.zeros(0, 1, 8, 8), 3], ids=["flat", "none", "number"]
)
def test_what_are_no_examples_is_refused(given: Any) -> None:
    with pytest.raises(StabilityError, match=r"examples"):
        read_real(given, None, CPU, pytest.fail)


def test_held_out_examples_have_the_shape_of_real_ones() -> None:
    with pytest.raises(StabilityError, match=r"held_out: .*\(1, 9, 9\).*\(1, 8, 8\)"):
        read_real(images(), torch.zeros(3, 1, 9, 9), CPU, pytest.fail)


def test_every_range_becomes_minus_one_to_one() -> None:
    unit = torch.linspace(-1, 1, 64).reshape(1, 1, 8, 8)
    for own in (unit, (unit + 1) / 2, unit * 3 + 7):
        torch.testing.assert_close(Scale.of(own).unit(own), unit)
    as_byte = ((unit + 1) * 127.5).round().byte()
    assert (Scale.of(as_byte).unit(as_byte) - unit).abs().max() < 0.01
    vectors = torch.tensor([[[[5.0]]]])
    assert torch.equal(Scale.of(vectors).unit(vectors), vectors)


def test_vectors_are_images_of_one_pixel() -> None:
    assert as_images(torch.zeros(3, 2, dtype=torch.float64)).shape == (3, 2, 1, 1)
    assert as_images(torch.as_tensor(np.zeros((3, 4, 4), np.uint8))).dtype == torch.uint8
