from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import Tensor

from stability.gan.training.optimizers import (
    EPS,
    OPTIMIZERS,
    MemberwiseAdam,
    MemberwiseAdamW,
    OptimisticAdam,
    OptimizerSettings,
    StackedOptimizer,
    StackedRMSprop,
    StackedSGD,
    WholeStackAdam,
    WholeStackAdamW,
    stacked_adam,
    stacked_optimizer,
)
from stability.spec.config import ADAMS, Optimizer

SETTINGS = (
    OptimizerSettings(lr=1e-3, beta1=0.5, beta2=0.999, momentum=0.9),
    OptimizerSettings(lr=2e-2, beta1=0.0, beta2=0.9, momentum=0.0),
    OptimizerSettings(lr=3e-4, beta1=0.95, beta2=0.0, momentum=0.3),
)
SHAPES = ((5, 7), (3, 2, 4, 4), (9,), (1,))
BOTH = pytest.mark.parametrize("optimizer", [MemberwiseAdam, WholeStackAdam])
PLAIN = pytest.mark.parametrize("optimizer", [StackedRMSprop, StackedSGD])
EVERY = pytest.mark.parametrize(
    "optimizer",
    [
        MemberwiseAdam,
        WholeStackAdam,
        StackedRMSprop,
        StackedSGD,
        MemberwiseAdamW,
        WholeStackAdamW,
        OptimisticAdam,
    ],
)
DECAYED = (
    replace(SETTINGS[0], weight_decay=0.5),
    SETTINGS[1],
    replace(SETTINGS[2], weight_decay=2.0, beta2=0.99),  # of one gradient alone the root may be next to 0
)
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
Build = Callable[[Sequence[Tensor], Sequence[OptimizerSettings]], StackedOptimizer]
TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-12}


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


Torchs = Callable[[list[Tensor], OptimizerSettings], torch.optim.Optimizer]


def plain_adam(weights: list[Tensor], own: OptimizerSettings) -> torch.optim.Optimizer:
    decay = own.weight_decay
    return torch.optim.Adam(weights, own.lr, (own.beta1, own.beta2), weight_decay=decay, foreach=False)


def fused_adam(weights: list[Tensor], own: OptimizerSettings) -> torch.optim.Optimizer:
    return torch.optim.Adam(weights, lr=own.lr, betas=(own.beta1, own.beta2), eps=1e-8, fused=True)


def plain_adamw(weights: list[Tensor], own: OptimizerSettings) -> torch.optim.Optimizer:
    decay = own.weight_decay
    return torch.optim.AdamW(weights, own.lr, (own.beta1, own.beta2), weight_decay=decay, foreach=False)


def plain_rmsprop(weights: list[Tensor], own: OptimizerSettings) -> torch.optim.Optimizer:
    decay = own.weight_decay
    return torch.optim.RMSprop(weights, lr=own.lr, momentum=own.momentum, weight_decay=decay, foreach=False)


def plain_sgd(weights: list[Tensor], own: OptimizerSettings) -> torch.optim.Optimizer:
    decay = own.weight_decay
    return torch.optim.SGD(weights, lr=own.lr, momentum=own.momentum, weight_decay=decay, foreach=False)


class PlainOptimisticAdam(torch.optim.Adam):
    """w_t = w - 2 u_t + u_(t - 1), with Adam's update u."""

    @torch.no_grad()
    def step(self) -> None:
        weights = self.param_groups[0]["params"]
        before = [weight.clone() for weight in weights]
        super().step()
        for weight, old in zip(weights, before, strict=True):
            update, state = old - weight, self.state[weight]
            weight.copy_(old - 2 * update + state.get("update", torch.zeros(())))
            state["update"] = update


def plain_optimistic(weights: list[Tensor], own: OptimizerSettings) -> torch.optim.Optimizer:
    decay = own.weight_decay
    return PlainOptimisticAdam(weights, own.lr, (own.beta1, own.beta2), weight_decay=decay, foreach=False)


TORCHS: dict[Build, Torchs] = {
    MemberwiseAdam: plain_adam,
    WholeStackAdam: plain_adam,
    StackedRMSprop: plain_rmsprop,
    StackedSGD: plain_sgd,
    MemberwiseAdamW: plain_adamw,
    WholeStackAdamW: plain_adamw,
    OptimisticAdam: plain_optimistic,
}


def separately(
    make: Torchs,
    leaves: Sequence[Tensor],
    steps: int,
    settings: Sequence[OptimizerSettings] = SETTINGS,
) -> list[list[Tensor]]:
    """Every member trained by an optimiser of torch's of its own."""
    members = []
    for k, own in enumerate(settings):
        weights = [leaf.detach()[k].clone().requires_grad_() for leaf in leaves]
        optimizer = make(weights, own)
        for step in range(steps):
            for weight, gradient in zip(weights, gradients_at(step, leaves), strict=True):
                weight.grad = gradient[k].clone()
            optimizer.step()
        members.append([weight.detach() for weight in weights])
    return members


def test_the_table_has_the_names_that_a_study_accepts() -> None:
    assert set(OPTIMIZERS) == set(get_args(Optimizer))
    for kind, build in OPTIMIZERS.items():
        leaves, twins = make_leaves(), make_leaves()
        step_many(stacked_optimizer(kind, leaves, SETTINGS), leaves, range(3))
        step_many(build(twins, SETTINGS), twins, range(3))
        assert all(torch.equal(leaf, twin) for leaf, twin in zip(leaves, twins, strict=True))


@DTYPES
def test_memberwise_equals_an_adam_per_member_bit_for_bit(dtype) -> None:
    leaves = make_leaves(dtype)
    wanted = separately(fused_adam, leaves, 50)
    step_many(MemberwiseAdam(leaves, SETTINGS), leaves, range(50))
    for k, weights in enumerate(wanted):
        for leaf, weight in zip(leaves, weights, strict=True):
            assert torch.equal(leaf.detach()[k], weight)


@EVERY
@DTYPES
@pytest.mark.parametrize("settings", [SETTINGS, DECAYED], ids=["plain", "decayed"])
def test_equals_torchs_own_per_member(optimizer: Build, dtype, settings) -> None:
    leaves = make_leaves(dtype)
    start = [leaf.detach().clone() for leaf in leaves]
    wanted = separately(TORCHS[optimizer], leaves, 50, settings)
    step_many(optimizer(leaves, settings), leaves, range(50))
    for k, weights in enumerate(wanted):
        for leaf, weight, first in zip(leaves, weights, start, strict=True):
            close = TOLERANCE[dtype]
            torch.testing.assert_close(leaf.detach()[k], weight, rtol=close, atol=close)
            size = 1e-4 if optimizer is StackedSGD and k == 1 else 1.0
            assert (weight - first[k]).abs().max() > size * SETTINGS[k].lr / 10  # it did move


@EVERY
@DTYPES
def test_a_member_has_the_same_bits_whatever_the_stack(optimizer: Build, dtype) -> None:
    leaves = make_leaves(dtype)
    step_many(optimizer(leaves, SETTINGS), leaves, range(20))
    for rows in ([1], [2, 0], [0, 1, 2] * 5):
        own = [leaf.detach()[rows].clone() for leaf in make_leaves(dtype)]
        few = optimizer(own, [SETTINGS[k] for k in rows])
        for step in range(20):
            few.step([gradient[rows] for gradient in gradients_at(step, make_leaves(dtype))])
        for leaf, mine in zip(leaves, own, strict=True):
            assert torch.equal(leaf.detach()[rows], mine)


@EVERY
@DTYPES
@pytest.mark.parametrize("value", [0.0, 1.0, torch.nan, torch.inf])
def test_a_member_put_back_never_had_the_step(optimizer: Build, dtype, value) -> None:
    leaves, twins = make_leaves(dtype), make_leaves(dtype)
    skipping, straight = optimizer(leaves, SETTINGS), optimizer(twins, SETTINGS)
    step_many(skipping, leaves, range(5))
    step_many(straight, twins, range(5))
    saved, weights = skipping.state(), [leaf.detach().clone() for leaf in leaves]
    rows = torch.tensor([False, True, False])
    gradients = gradients_at(5, leaves)
    straight.step(gradients)
    for gradient in gradients:
        gradient[1] = value
    skipping.step(gradients)
    skipping.put_back(saved, rows)
    for leaf, weight in zip(leaves, weights, strict=True):
        leaf.detach()[1] = weight[1]
    for name, tensor in skipping.state().items():
        assert torch.equal(tensor[1], saved[name][1])
        assert torch.equal(tensor[[0, 2]], straight.state()[name][[0, 2]])
    step_many(skipping, leaves, range(6, 12))
    never = make_leaves(dtype)
    alone = optimizer(never, SETTINGS)
    step_many(straight, twins, range(6, 12))
    for step in (*range(5), *range(6, 12)):
        alone.step(gradients_at(step, never))
    for leaf, twin, skipped in zip(leaves, twins, never, strict=True):
        assert torch.equal(leaf[[0, 2]], twin[[0, 2]])
        assert torch.equal(leaf[1], skipped[1])


@EVERY
def test_every_tensor_of_a_state_has_a_row_per_member(optimizer: Build) -> None:
    leaves = make_leaves()
    made = optimizer(leaves, SETTINGS)
    step_many(made, leaves, range(3))
    state = made.state()
    assert {len(tensor) for tensor in state.values()} == {len(SETTINGS)}
    if "steps" in state:
        assert state["steps"].tolist() == [3, 3, 3]
    rows = [2, 0]
    few = [leaf.detach()[rows].clone() for leaf in leaves]
    chosen = optimizer(few, [SETTINGS[k] for k in rows])
    chosen.load_state({name: tensor[rows] for name, tensor in state.items()})
    for step in range(3, 6):
        gradients = gradients_at(step, leaves)
        made.step(gradients)
        chosen.step([gradient[rows] for gradient in gradients])
    for leaf, mine in zip(leaves, few, strict=True):
        assert torch.equal(leaf.detach()[rows], mine)


@DTYPES
def test_bias_corrections_are_exact_after_many_steps(dtype) -> None:
    """From the state alone, at step counts where 1 - beta^t is tiny, in between, and 1."""
    own = OptimizerSettings(lr=1.0, beta1=0.9, beta2=0.999)
    for steps in (0, 1, 10, 1_000, 100_000):
        weights = torch.zeros(1, 1, dtype=dtype)
        adam = WholeStackAdam([weights], [own])
        fresh = {"first.0": torch.zeros(1, 1), "second.0": torch.zeros(1, 1)}
        adam.load_state(fresh | {"steps": torch.tensor([float(steps)])})
        adam.step([torch.ones(1, 1, dtype=dtype)])
        t = steps + 1
        wanted = -(0.1 / (1 - 0.9**t)) / ((0.001 / (1 - 0.999**t)) ** 0.5 + EPS)
        assert float(weights) == pytest.approx(wanted, rel=10 * torch.finfo(dtype).eps)


@PLAIN
def test_two_steps_by_hand(optimizer: Build) -> None:
    weights = torch.tensor([[1.0], [1.0]], dtype=torch.float64)
    made = optimizer([weights], [OptimizerSettings(lr=0.1, momentum=m) for m in (0.0, 0.5)])
    for gradient in (2.0, -4.0):
        made.step([torch.full((2, 1), gradient, dtype=torch.float64)])
    if optimizer is StackedSGD:  # velocities 2 and -4; 2 and -3
        wanted = [1 - 0.2 + 0.4, 1 - 0.2 + 0.3]
    else:  # means of squares .04 and .1996
        first, second = 2 / (0.04**0.5 + EPS), -4 / (0.1996**0.5 + EPS)
        wanted = [1 - 0.1 * (first + second), 1 - 0.1 * (first + second + 0.5 * first)]
    assert weights[:, 0].tolist() == pytest.approx(wanted, rel=1e-12)


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


@EVERY
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
    assert not leaves[0].detach()[1, 0, 0].isfinite()
    assert (~leaves[0].isfinite()).sum() == 1
    assert not leaves[1].isnan().any()


@EVERY
@DTYPES
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


@EVERY
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
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_gpu_agrees_with_the_cpu(kind) -> None:
    leaves = make_leaves()
    placed = [leaf.detach().cuda().requires_grad_() for leaf in leaves]
    there, here = stacked_optimizer(kind, placed, SETTINGS), stacked_optimizer(kind, leaves, SETTINGS)
    assert isinstance(there, WholeStackAdam) == (kind in ADAMS)
    for step in range(50):
        gradients = gradients_at(step, leaves)
        here.step(gradients)
        there.step([gradient.cuda() for gradient in gradients])
    for leaf, twin in zip(leaves, placed, strict=True):
        torch.testing.assert_close(leaf.detach(), twin.detach().cpu(), rtol=1e-12, atol=1e-12)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_gpu_waits_for_nothing(kind) -> None:
    leaves = [leaf.detach().cuda() for leaf in make_leaves(torch.float32)]
    made = stacked_optimizer(kind, leaves, SETTINGS)
    gradients, rows = [torch.ones_like(leaf) for leaf in leaves], torch.tensor([True, False, True]).cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        saved = made.state()
        made.step(gradients)
        made.put_back(saved, rows)
    finally:
        torch.cuda.set_sync_debug_mode("default")
