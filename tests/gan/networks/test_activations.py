from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from small_networks import LAYERED, leaves, make_config, networks, normal, weighted
from torch import Tensor, nn

from stability.gan.networks import ACTIVATIONS, LEAK
from stability.spec.config import Activation

FORMULAS = {
    "leaky-relu": lambda x: x if x > 0 else 0.2 * x,
    "relu": lambda x: max(x, 0.0),
    "elu": lambda x: x if x > 0 else math.exp(x) - 1,
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "tanh": math.tanh,
}
TORCH = {"elu": nn.ELU(), "gelu": nn.GELU(), "leaky-relu": nn.LeakyReLU(0.2)}
FOLLOWING = [name for name in LAYERED if name != "maxout"]
"""Architectures whose discriminator has the configured activation."""


def test_the_study_file_accepts_exactly_the_tables_names() -> None:
    assert set(get_args(Activation)) == set(ACTIVATIONS)
    assert LEAK == 0.2


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_are_the_formulas(name) -> None:
    points = [-30.0, -2.5, -1.0, -1e-3, 0.0, 1e-3, 0.7, 3.0, 30.0]
    found = ACTIVATIONS[name]()(torch.tensor(points, dtype=torch.float64))
    for x, y in zip(points, found.tolist(), strict=True):
        assert y == pytest.approx(FORMULAS[name](x), rel=1e-12, abs=1e-14)


def twice_differentiated(function: nn.Module, x: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    out = function(x)
    (slope,) = torch.autograd.grad(
        (out * normal(*x.shape, seed=1, dtype=x.dtype)).sum(), x, create_graph=True
    )
    (curve,) = torch.autograd.grad(slope.square().sum() + 0 * x.sum(), x)
    return [out.detach(), slope.detach(), curve]


@pytest.mark.parametrize("name", TORCH)
def test_values_and_derivatives_are_those_of_torch(name) -> None:
    x = torch.cat([3 * normal(200, dtype=torch.float64), torch.tensor([0.0, 1000.0, -1000.0])])
    found, wanted = twice_differentiated(ACTIVATIONS[name](), x), twice_differentiated(TORCH[name], x)
    for mine, theirs in zip(found[:2], wanted[:2], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-14)
    smooth = x != 0
    torch.testing.assert_close(found[2][smooth], wanted[2][smooth], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_number_does_not_depend_on_its_place(name, dtype) -> None:
    x = 2 * normal(133, dtype=dtype)
    together = ACTIVATIONS[name]()(x)
    alone = torch.cat([ACTIVATIONS[name]()(x[i : i + 1]) for i in range(len(x))])
    assert torch.equal(together, alone)


@pytest.mark.parametrize("architecture", FOLLOWING)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_hidden_layer_of_the_discriminator_has_it(architecture, name) -> None:
    generator, discriminator = networks(make_config(architecture=architecture, activation=name))
    kind = type(ACTIVATIONS[name]())
    assert sum(type(part) is kind for part in leaves(discriminator)) == len(weighted(discriminator)) - 1
    others = {type(make()) for make in ACTIVATIONS.values()} - {kind}
    assert not others & {type(part) for part in leaves(discriminator)}
    slopes = {part.negative_slope for part in leaves(discriminator) if isinstance(part, nn.LeakyReLU)}
    assert slopes == ({0.2} if name == "leaky-relu" else set())
    plain, _ = networks(make_config(architecture=architecture))
    assert repr(plain) == repr(generator)


@pytest.mark.parametrize("architecture", ["maxout", "dirac"])
def test_those_that_have_their_own_keep_it(architecture) -> None:
    plain = networks(make_config(architecture=architecture))
    assert repr(networks(make_config(architecture=architecture, activation="tanh"))) == repr(plain)
