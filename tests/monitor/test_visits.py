from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stability.monitor.visits import left_alone


def test_buffers_modes_and_gradients_are_left_alone() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout())
    network[2].eval()
    before = network[1].running_mean.clone()
    with left_alone(network, None):
        network.eval()
        network.train()
        out: Tensor = network(torch.randn(8, 3))
        assert not out.requires_grad
        assert not torch.equal(network[1].running_mean, before)
    assert torch.equal(network[1].running_mean, before)
    assert [part.training for part in network] == [True, True, False]


def test_they_are_left_alone_by_what_fails_too() -> None:
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002

    def failing() -> None:
        with left_alone():
            torch.rand(3), random.random(), np.random.rand()  # noqa: NPY002
            raise RuntimeError("out")

    with pytest.raises(RuntimeError, match="out"):
        failing()
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states[1:]  # noqa: NPY002


def test_every_visit_finds_the_same_random_numbers() -> None:
    drawn = []
    for _ in range(2):
        torch.rand(3)
        with left_alone():
            drawn.append(torch.rand(5))
    assert torch.equal(*drawn)
