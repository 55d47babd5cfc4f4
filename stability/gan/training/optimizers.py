"""Optimisers over stacked leaves, every member by its own settings: Adam and two of its kin, RMSprop, SGD.

Adam (Kingma & Ba 2015, algorithm 1) has two implementations, tested equal: torch's fused kernel where it is
fast (the CPU), a few lines over the whole stack where a kernel per member would be launch-bound (GPUs).
Every tensor of a state is `[K, ...]`, so that members can be selected and put back by rows, and nothing is
read back from the device. Gradients are never cleaned: a NaN stays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.optim.adam import adam

from stability.gan.arithmetic.stable_sums import LANE
from stability.gan.training.placement import sent
from stability.spec.config import NetworkSettings

EPS = 1e-8
RMSPROP_ALPHA = 0.99
"""How much of the running mean of squares RMSprop keeps a step: torch's default."""


@dataclass(frozen=True, slots=True)
class OptimizerSettings:
    """One member's learning rate, betas (the Adams' alone), momentum (the others') and weight decay."""

    lr: float
    beta1: float = 0.0
    beta2: float = 0.0
    momentum: float = 0.0
    weight_decay: float = 0.0

    @staticmethod
    def of(network: NetworkSettings) -> OptimizerSettings:
        """What one of a run's networks is trained with."""
        return OptimizerSettings(
            network.lr, network.beta1, network.beta2, network.momentum, network.weight_decay
        )


@runtime_checkable
class StackedOptimizer(Protocol):
    """Updates stacked leaves in place, every member by its own settings."""

    def step(self, gradients: Sequence[Tensor]) -> None:
        """Apply one update; gradients are `[K, ...]`, as the leaves."""

    def set_rates(self, rates: Sequence[float]) -> None:
        """Go on with these learning rates, one a member."""

    def state(self) -> dict[str, Tensor]:
        """Everything the next step depends on, besides the weights: copies, each `[K, ...]`."""

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state()`."""

    def put_back(self, state: Mapping[str, Tensor], rows: Bool[Tensor, " members"]) -> None:
        """Go back to an earlier `state()` for these members only; the weights are the caller's."""


class _Stateful:
    """The leaves, and the live tensors of the state by name: what all implementations share."""

    def __init__(self, leaves: Sequence[Tensor], settings: Sequence[OptimizerSettings]) -> None:
        self._leaves = [leaf.detach() for leaf in leaves]
        self._live: dict[str, Tensor] = {}
        self.set_rates([own.lr for own in settings])

    def set_rates(self, rates: Sequence[float]) -> None:
        """Go on with these learning rates, one a member."""
        self._lr = self._per_member(rates)

    def _zeros(self, name: str) -> list[Tensor]:
        """A state tensor like every leaf."""
        made = [torch.zeros_like(leaf) for leaf in self._leaves]
        self._live |= {f"{name}.{i}": tensor for i, tensor in enumerate(made)}
        return made

    def _counts(self) -> Tensor:
        """A number of steps per member: float32, which holds whole numbers up to 16 million."""
        made = torch.zeros(len(self._leaves[0]), dtype=torch.float32, device=self._leaves[0].device)
        self._live["steps"] = made
        return made

    def _decay(self, settings: Sequence[OptimizerSettings]) -> Tensor | None:
        """Each member's weight decay, None where none has any."""
        decays = [own.weight_decay for own in settings]
        return self._per_member(decays) if any(decays) else None

    def _per_member(self, values: Sequence[float]) -> Tensor:
        """One number per member, rounded once to the leaves' precision."""
        return sent(torch.tensor(values, dtype=self._leaves[0].dtype), self._leaves[0].device)

    def state(self) -> dict[str, Tensor]:
        """Everything the next step depends on, besides the weights: copies, each `[K, ...]`."""
        return {name: tensor.clone() for name, tensor in self._live.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state()`."""
        for name, tensor in self._live.items():
            tensor.copy_(state[name])

    def put_back(self, state: Mapping[str, Tensor], rows: Bool[Tensor, " members"]) -> None:
        """Go back to an earlier `state()` for these members only; the weights are the caller's."""
        for name, tensor in self._live.items():
            tensor.copy_(torch.where(_beside(rows, tensor), state[name], tensor))


@dataclass(frozen=True, slots=True)
class _Rows:
    """One member's rows of the leaves and of its state, as torch's functional Adam takes them."""

    leaves: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]
    steps: list[Tensor]


class MemberwiseAdam(_Stateful):
    """torch's fused Adam, called once per member on row views of the leaves."""

    decoupled = False
    """Whether the weights decay by themselves, as in AdamW, and not through the gradient."""

    def __init__(self, leaves: Sequence[Tensor], settings: Sequence[OptimizerSettings]) -> None:
        super().__init__(leaves, settings)
        first, second, self._steps = self._zeros("first"), self._zeros("second"), self._counts()
        self._settings = list(settings)
        # torch counts for every parameter by itself; these counters are filled in from `_steps` each time.
        self._counters = self._steps[:, None].repeat(1, len(first))
        self._rows = [
            _Rows(_at(k, self._leaves), _at(k, first), _at(k, second), list(counters))
            for k, counters in enumerate(self._counters)
        ]

    def set_rates(self, rates: Sequence[float]) -> None:
        """Go on with these learning rates, one a member."""
        self._rates = list(rates)

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor]) -> None:
        """Apply one update; gradients are `[K, ...]`, as the leaves."""
        dense = [_as_laid_out(g, leaf) for g, leaf in zip(gradients, self._leaves, strict=True)]
        self._counters.copy_(self._steps[:, None])
        for k, (rows, own, lr) in enumerate(zip(self._rows, self._settings, self._rates, strict=True)):
            adam(
                rows.leaves,
                _at(k, dense),
                rows.first,
                rows.second,
                [],
                rows.steps,
                fused=True,
                amsgrad=False,
                beta1=own.beta1,
                beta2=own.beta2,
                lr=lr,
                weight_decay=own.weight_decay,
                eps=EPS,
                maximize=False,
                decoupled_weight_decay=self.decoupled,
            )
        self._steps.add_(1)


class MemberwiseAdamW(MemberwiseAdam):
    """Adam whose weights shrink by lr x weight_decay a step (Loshchilov & Hutter 2019, algorithm 2)."""

    decoupled = True


class WholeStackAdam(_Stateful):
    """Adam as elementwise code over the stacked leaves, every factor a `[K, 1, ...]` tensor."""

    decoupled = False

    def __init__(self, leaves: Sequence[Tensor], settings: Sequence[OptimizerSettings]) -> None:
        super().__init__(leaves, settings)
        self._first, self._second, self._steps = self._zeros("first"), self._zeros("second"), self._counts()
        self._weight_decay = self._decay(settings)
        betas = [[own.beta1 for own in settings], [own.beta2 for own in settings]]
        self._beta1, self._beta2 = (self._per_member(row) for row in betas)
        self._rest1, self._rest2 = (self._per_member([1 - beta for beta in row]) for row in betas)
        # Whole lanes, since the CPU rounds expm1 otherwise where a tensor's tail is left to scalar code.
        logs = [self._per_member([_log(beta) for beta in row]) for row in betas]
        self._log_betas = torch.stack(logs)[..., None].repeat(1, 1, LANE)

    def step(self, gradients: Sequence[Tensor]) -> None:
        """Apply one update; gradients are `[K, ...]`, as the leaves."""
        self._steps.add_(1)
        correction1, correction2 = self._bias_corrections()
        rates, roots = self._lr / correction1, correction2.sqrt()
        for i, (leaf, gradient) in enumerate(zip(self._leaves, self._decayed(gradients), strict=True)):
            first, second = self._first[i], self._second[i]
            first.mul_(_beside(self._beta1, leaf)).add_(_beside(self._rest1, leaf) * gradient)
            second.mul_(_beside(self._beta2, leaf)).add_(_beside(self._rest2, leaf) * gradient.square())
            denominator = second.sqrt() / _beside(roots, leaf) + EPS
            self._move(i, leaf, _beside(rates, leaf) * first / denominator)

    def _decayed(self, gradients: Sequence[Tensor]) -> Sequence[Tensor]:
        """Shrink the weights or, where the decay is not decoupled, add it to the gradients."""
        if self._weight_decay is None or not self.decoupled:
            return _with_decay(gradients, self._leaves, self._weight_decay)
        for leaf in self._leaves:
            leaf.mul_(_beside(1 - self._lr * self._weight_decay, leaf))
        return gradients

    def _move(self, i: int, leaf: Tensor, update: Tensor) -> None:
        leaf.sub_(update)

    def _bias_corrections(self) -> Float[Tensor, "two members"]:
        """1 - beta^t for both betas, as -expm1(t log beta), which is exact where beta^t is next to 1."""
        counts = self._steps.to(self._log_betas.dtype)
        return -torch.expm1(self._log_betas * counts[:, None])[..., 0]


class WholeStackAdamW(WholeStackAdam):
    """AdamW, the same way."""

    decoupled = True


class OptimisticAdam(WholeStackAdam):
    """Adam that takes twice its update and the last one back (Daskalakis 2018, algorithm 1)."""

    def __init__(self, leaves: Sequence[Tensor], settings: Sequence[OptimizerSettings]) -> None:
        super().__init__(leaves, settings)
        self._last = self._zeros("last")

    def _move(self, i: int, leaf: Tensor, update: Tensor) -> None:
        leaf.sub_(2 * update - self._last[i])
        self._last[i].copy_(update)


class StackedRMSprop(_Stateful):
    """`torch.optim.RMSprop` with its default decay, not centred (Tieleman & Hinton 2012, lecture 6.5)."""

    def __init__(self, leaves: Sequence[Tensor], settings: Sequence[OptimizerSettings]) -> None:
        super().__init__(leaves, settings)
        self._second, self._velocity = self._zeros("second"), self._zeros("velocity")
        self._momentum = self._per_member([own.momentum for own in settings])
        self._weight_decay = self._decay(settings)

    def step(self, gradients: Sequence[Tensor]) -> None:
        """Apply one update; gradients are `[K, ...]`, as the leaves."""
        gradients = _with_decay(gradients, self._leaves, self._weight_decay)
        for i, (leaf, gradient) in enumerate(zip(self._leaves, gradients, strict=True)):
            second, velocity = self._second[i], self._velocity[i]
            second.mul_(RMSPROP_ALPHA).add_((1 - RMSPROP_ALPHA) * gradient.square())
            velocity.mul_(_beside(self._momentum, leaf)).add_(gradient / (second.sqrt() + EPS))
            leaf.sub_(_beside(self._lr, leaf) * velocity)


class StackedSGD(_Stateful):
    """`torch.optim.SGD` with momentum, neither damped nor Nesterov's."""

    def __init__(self, leaves: Sequence[Tensor], settings: Sequence[OptimizerSettings]) -> None:
        super().__init__(leaves, settings)
        self._velocity = self._zeros("velocity")
        self._momentum = self._per_member([own.momentum for own in settings])
        self._weight_decay = self._decay(settings)

    def step(self, gradients: Sequence[Tensor]) -> None:
        """Apply one update; gradients are `[K, ...]`, as the leaves."""
        gradients = _with_decay(gradients, self._leaves, self._weight_decay)
        for leaf, velocity, gradient in zip(self._leaves, self._velocity, gradients, strict=True):
            velocity.mul_(_beside(self._momentum, leaf)).add_(gradient)
            leaf.sub_(_beside(self._lr, leaf) * velocity)


def stacked_adam(leaves: Sequence[Tensor], settings: Sequence[OptimizerSettings]) -> StackedOptimizer:
    """The implementation of Adam that is fast on the leaves' device."""
    on_cpu = leaves[0].device.type == "cpu"
    return MemberwiseAdam(leaves, settings) if on_cpu else WholeStackAdam(leaves, settings)


def stacked_adamw(leaves: Sequence[Tensor], settings: Sequence[OptimizerSettings]) -> StackedOptimizer:
    """The same for AdamW."""
    on_cpu = leaves[0].device.type == "cpu"
    return MemberwiseAdamW(leaves, settings) if on_cpu else WholeStackAdamW(leaves, settings)


OPTIMIZERS: dict[str, Callable[[Sequence[Tensor], Sequence[OptimizerSettings]], StackedOptimizer]] = {
    "adam": stacked_adam,
    "adamw": stacked_adamw,
    "optimistic-adam": OptimisticAdam,
    "rmsprop": StackedRMSprop,
    "sgd": StackedSGD,
}


def stacked_optimizer(
    kind: str, leaves: Sequence[Tensor], settings: Sequence[OptimizerSettings]
) -> StackedOptimizer:
    """One optimiser for all members' leaves; `kind` is a key of `OPTIMIZERS`."""
    return OPTIMIZERS[kind](leaves, settings)


def _with_decay(
    gradients: Sequence[Tensor], leaves: Sequence[Tensor], decay: Tensor | None
) -> Sequence[Tensor]:
    """The gradients of the loss with decay x |weights|^2 / 2 beside it."""
    if decay is None:
        return gradients
    return [g + _beside(decay, leaf) * leaf for g, leaf in zip(gradients, leaves, strict=True)]


def _at(k: int, stacks: Sequence[Tensor]) -> list[Tensor]:
    """One member's row of each."""
    return [stack[k] for stack in stacks]


def _beside(values: Tensor, leaf: Tensor) -> Tensor:
    """One value per member `[K]`, shaped to broadcast over a leaf: `[K, 1, ...]`."""
    return values.reshape(-1, *(1 for _ in leaf.shape[1:]))


def _log(beta: float) -> float:
    """Natural logarithm in double precision; a beta of 0 has -inf, of which expm1 makes -1."""
    return math.log(beta) if beta > 0 else -math.inf


def _as_laid_out(gradient: Tensor, leaf: Tensor) -> Tensor:
    """The gradient in the leaf's memory layout, which the fused kernel takes for granted."""
    if gradient.stride() == leaf.stride():
        return gradient
    return torch.empty_like(leaf).copy_(gradient)
