"""What makes steps fast leaves them what they are: fifty of them in double precision, with it and without."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from cohorts import CPU64, make_run, some_images, train
from torch import Tensor

from stability.gan.arithmetic import products
from stability.gan.networks.layers import ShapedRows
from stability.gan.training import optimizers
from stability.gan.training.cohort import Cohort
from stability.gan.training.optimizers import MemberwiseAdam, WholeStackAdam
from stability.gan.training.placement import Placement

STEPS = 50
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "batchnorm in both, dropout": {"batchnorm": "both", "dropout": 0.3},
    "gradient penalty": {"loss": "wasserstein", "penalty": "gradient-penalty", "n_dis": 2},
}
Without = Callable[[pytest.MonkeyPatch], None]


def by_vmap(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ShapedRows, "takes_stacks", False)


def one_by_one(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Placement, "fused", lambda *_: False)


def adam_by_elements(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(optimizers, "MemberwiseAdam", WholeStackAdam)


def every_product_apart(patch: pytest.MonkeyPatch) -> None:
    """The way of float32 products through oneDNN, with torch's own product at its end."""
    patch.setattr(products, "_for_onednn", lambda a, b: a.dim() <= 3)
    patch.setattr(products, "_by_onednn", torch.matmul)


def gradients_by_rows(patch: pytest.MonkeyPatch) -> None:
    every_product_apart(patch)
    patch.setattr(products, "_laid_out_as", lambda like, a, b: products.product(a, b))


def trained(case: dict[str, Any]) -> dict[str, Tensor]:
    runs = [make_run(seed, **case) for seed in range(3)]
    return train(Cohort(runs, some_images(), CPU64), STEPS)


@cache
def trained_fast(name: str) -> dict[str, Tensor]:
    """As it is; asked for before anything is patched."""
    return trained(CASES[name])


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    "other_way", [by_vmap, one_by_one, adam_by_elements, every_product_apart, gradients_by_rows]
)
def test_fifty_steps_are_the_same_either_way(
    name: str, other_way: Without, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = trained_fast(name)
    other_way(monkeypatch)
    other = trained(CASES[name])
    assert fast.keys() == other.keys()
    weights = [key for key in fast if key.startswith(("generator/", "discriminator/"))]
    assert weights
    for weight in weights:
        torch.testing.assert_close(other[weight], fast[weight], rtol=1e-7, atol=1e-7, msg=weight)


def test_the_ways_are_really_other_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    step, multiply = MemberwiseAdam.step, products._Product.forward
    monkeypatch.setattr(MemberwiseAdam, "step", lambda *args: (called.append("fused"), step(*args))[1])
    trained({})
    assert set(called) == {"fused"}
    called.clear()
    adam_by_elements(monkeypatch)
    every_product_apart(monkeypatch)
    monkeypatch.setattr(
        products._Product, "forward", staticmethod(lambda *args: (called.append("apart"), multiply(*args))[1])
    )
    trained({})
    assert set(called) == {"apart"}
