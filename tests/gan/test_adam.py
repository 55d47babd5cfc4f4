from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from stability.gan.adam import (
    EPS,
    AdamSettings,
    MemberwiseAdam,
    StackedOptimizer,
    WholeStackAdam,
    stacked_adam,
)

SETTINGS = (
    AdamSettings(lr=1e-3, beta1=0.5, beta2=0.999),
    AdamSettings(lr=2e-2, beta1=0.0, beta2=0.9),
    AdamSettings(lr=3e-4, beta1=0.95, beta2=0.99),
)
SHAPES = ((5, 7), (3, 2, 4, 4), (9,), (1,))
BOTH = pytest.mark.parametrize("optimizer", [MemberwiseAdam, WholeStackAdam])
Build = Callable[[Sequence[Tensor], Sequence[AdamSettings]], StackedOptimizer]


def normal(*shape: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def make_leaves(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    return [
        normal(len(SETTINGS), *shape, seed=i, dtype=dtype).requires_grad_() for i, shape in enumerate(SHAPES)
    ]


def gradients_at(step: int, leaves: Sequence[Tensor]) -> list[Tensor]:
    """Gradients whose size changes from step to step, member to member and number to number."""
    drawn = [normal(*leaf.shape, seed=1000 * step + i, dtype=leaf.dtype) for i, leaf in enumerate(leaves)]
    sizes = torch.tensor([1.0, 1e-4, 50.0], dtype=leaves[0].dtype)
    return [g * (1 + step % 3) * sizes.reshape(-1, *(1 for _ in g.shape[1:])) for g in drawn]


def step_many(optimizer: StackedOptimizer, leaves: Sequence[Tensor], steps: range) -> None:
    for step in steps:
        optimizer.step(gradients_at(step, leaves))


def separate_adams(leaves: Sequence[Tensor], steps: int, *, fused: bool) -> list[list[Tensor]]:
    """Every member trained by a torch Adam of its own."""
    members = []
    for k, own in enumerate(SETTINGS):
        weights = [leaf.detach()[k].clone().requires_grad_() for leaf in leaves]
        adam = torch.optim.Adam(weights, lr=own.lr, betas=(own.beta1, own.beta2), eps=EPS, fused=fused)
        for step in range(steps):
            for weight, gradient in zip(weights, gradients_at(step, leaves), strict=True):
                weight.grad = gradient[k].clone()
            adam.step()
        members.append([weight.detach() for weight in weights])
    return members


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_memberwise_equals_an_adam_per_member_bit_for_bit(dtype) -> None:
    leaves = make_leaves(dtype)
    wanted = separate_adams(leaves, 50, fused=True)
    step_many(MemberwiseAdam(leaves, SETTINGS), leaves, range(50))
    for k, weights in enumerate(wanted):
        for leaf, weight in zip(leaves, weights, strict=True):
            assert torch.equal(leaf.detach()[k], weight)


@BOTH
def test_equals_torchs_plain_adam_per_member(optimizer: Build) -> None:
    leaves = make_leaves()
    start = [leaf.detach().clone() for leaf in leaves]
    wanted = separate_adams(leaves, 50, fused=False)
    step_many(optimizer(leaves, SETTINGS), leaves, range(50))
    for k, weights in enumerate(wanted):
        for leaf, weight, first in zip(leaves, weights, start, strict=True):
            torch.testing.assert_close(leaf.detach()[k], weight, rtol=1e-12, atol=1e-12)
            assert (weight - first[k]).abs().max() > SETTINGS[k].lr / 10  # it did move


@BOTH
def test_the_first_step_is_the_learning_rate_against_the_sign(optimizer: Build) -> None:
    leaves = make_leaves()
    start = [leaf.detach().clone() for leaf in leaves]
    gradients = gradients_at(0, leaves)
    optimizer(leaves, SETTINGS).step(gradients)
    for leaf, first, gradient in zip(leaves, start, gradients, strict=True):
        for k, own in enumerate(SETTINGS):
            wanted = -own.lr * gradient[k] / (gradient[k].abs() + EPS)
            torch.testing.assert_close(leaf.detach()[k] - first[k], wanted, rtol=1e-9, atol=1e-15)


@BOTH
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_finite_stays_in_its_member_for_good(optimizer: Build, value) -> None:
    leaves, healthy = make_leaves(), make_leaves()
    broken, clean = optimizer(leaves, SETTINGS), optimizer(healthy, SETTINGS)
    for step in range(6):
        gradients = gradients_at(step, leaves)
        clean.step(gradients)
        spoilt = [gradient.clone() for gradient in gradients]
        if step == 2:
            spoilt[0][1, 0, 0] = value
        broken.step(spoilt)
    for leaf, twin in zip(leaves, healthy, strict=True):
        assert torch.equal(leaf[[0, 2]], twin[[0, 2]])
    assert leaves[0].detach()[1, 0, 0].isnan()
    assert leaves[0].isnan().sum() == 1
    assert not leaves[1].isnan().any()


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_going_on_from_a_state_is_bit_exact(optimizer: Build, dtype) -> None:
    straight = make_leaves(dtype)
    step_many(optimizer(straight, SETTINGS), straight, range(12))
    halfway = make_leaves(dtype)
    first = optimizer(halfway, SETTINGS)
    step_many(first, halfway, range(7))
    state, weights = first.state(), [leaf.detach().clone() for leaf in halfway]
    resumed = [leaf.detach().clone().requires_grad_() for leaf in halfway]
    step_many(first, halfway, range(7, 9))  # the state is a copy: this does not move it
    second = optimizer(resumed, SETTINGS)
    second.step([torch.ones_like(leaf) for leaf in resumed])  # what it did before is forgotten
    with torch.no_grad():
        for leaf, saved in zip(resumed, weights, strict=True):
            leaf.copy_(saved)
    second.load_state(state)
    step_many(second, resumed, range(7, 12))
    for leaf, wanted in zip(resumed, straight, strict=True):
        assert torch.equal(leaf, wanted)


def test_a_state_moves_between_the_implementations() -> None:
    leaves, twins = make_leaves(), make_leaves()
    first, other = MemberwiseAdam(leaves, SETTINGS), MemberwiseAdam(twins, SETTINGS)
    step_many(first, leaves, range(5))
    step_many(other, twins, range(5))
    whole = WholeStackAdam(twins, SETTINGS)
    whole.load_state(other.state())
    step_many(first, leaves, range(5, 10))
    step_many(whole, twins, range(5, 10))
    for leaf, twin in zip(leaves, twins, strict=True):
        torch.testing.assert_close(leaf, twin, rtol=1e-12, atol=1e-13)


@BOTH
def test_strided_and_expanded_gradients_mean_what_they_say(optimizer: Build) -> None:
    leaves, twins = make_leaves(), make_leaves()
    dense, strided = optimizer(leaves, SETTINGS), optimizer(twins, SETTINGS)
    for step in range(5):
        gradients = gradients_at(step, leaves)
        gradients[2] = gradients[2][:, :1].repeat(1, 9)
        dense.step(gradients)
        views = list(gradients)
        views[0] = gradients[0].transpose(1, 2).contiguous().transpose(1, 2)
        views[1] = gradients[1].contiguous().permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
        views[2] = gradients[2][:, :1].expand(-1, 9)
        assert not any(view.is_contiguous() for view in views[:3])
        strided.step(views)
    for leaf, twin in zip(leaves, twins, strict=True):
        assert torch.equal(leaf, twin)


def test_the_cpu_takes_torchs_fused_kernel() -> None:
    assert isinstance(stacked_adam(make_leaves(), SETTINGS), MemberwiseAdam)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_takes_the_whole_stack_and_agrees_with_the_cpu() -> None:
    leaves = make_leaves()
    placed = [leaf.detach().cuda().requires_grad_() for leaf in leaves]
    there = stacked_adam(placed, SETTINGS)
    assert isinstance(there, WholeStackAdam)
    here = stacked_adam(leaves, SETTINGS)
    for step in range(50):
        gradients = gradients_at(step, leaves)
        here.step(gradients)
        there.step([gradient.cuda() for gradient in gradients])
    for leaf, twin in zip(leaves, placed, strict=True):
        torch.testing.assert_close(leaf.detach(), twin.detach().cpu(), rtol=1e-12, atol=1e-12)
