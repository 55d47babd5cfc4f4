"""Adam over stacked leaves with a learning rate and betas per member (Kingma & Ba 2015, algorithm 1).

Two implementations of one rule, tested equal: torch's fused kernel where it is fast (the CPU), a few lines
over the whole stack where a kernel per member would be launch-bound (GPUs). Gradients are never cleaned: a
NaN stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

EPS = 1e-8


@dataclass(frozen=True, slots=True)
class AdamSettings:
    """One member's learning rate and betas."""

    lr: float
    beta1: float
    beta2: float


@runtime_checkable
class StackedOptimizer(Protocol):
    """Updates stacked leaves in place, every member by its own settings."""

    def step(self, gradients: Sequence[Tensor]) -> None:
        """Apply one update; gradients are `[K, ...]`, as the leaves."""

    def state(self) -> dict[str, Tensor]:
        """Everything the next step depends on, besides the weights."""

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state()`."""


class _Moments:
    """The two moments of every leaf and the number of steps: the state both implementations share."""

    def __init__(self, leaves: Sequence[Tensor]) -> None:
        self.leaves = [leaf.detach() for leaf in leaves]
        self.first = [torch.zeros_like(leaf) for leaf in self.leaves]
        self.second = [torch.zeros_like(leaf) for leaf in self.leaves]

    def named(self) -> dict[str, Tensor]:
        pairs = [(f"first.{i}", moment) for i, moment in enumerate(self.first)]
        return dict(pairs + [(f"second.{i}", moment) for i, moment in enumerate(self.second)])

    def load(self, state: Mapping[str, Tensor]) -> None:
        for name, moment in self.named().items():
            moment.copy_(state[name])


class MemberwiseAdam:
    """`torch.optim.Adam(fused=True)`, one parameter group per member over row views of the leaves."""

    def __init__(self, leaves: Sequence[Tensor], settings: Sequence[AdamSettings]) -> None:
        self._moments = _Moments(leaves)
        groups = []
        for k, own in enumerate(settings):
            rows = [leaf[k] for leaf in self._moments.leaves]
            groups.append({"params": rows, "lr": own.lr, "betas": (own.beta1, own.beta2)})
        self._adam = torch.optim.Adam(groups, eps=EPS, fused=True)
        for k, group in enumerate(self._adam.param_groups):
            for i, row in enumerate(group["params"]):
                self._adam.state[row] = {
                    "step": torch.zeros((), dtype=torch.float32, device=row.device),
                    "exp_avg": self._moments.first[i][k],
                    "exp_avg_sq": self._moments.second[i][k],
                }

    def step(self, gradients: Sequence[Tensor]) -> None:
        """Apply one update; gradients are `[K, ...]`, as the leaves."""
        dense = [_as_laid_out(g, leaf) for g, leaf in zip(gradients, self._moments.leaves, strict=True)]
        for k, group in enumerate(self._adam.param_groups):
            for row, gradient in zip(group["params"], dense, strict=True):
                row.grad = gradient[k]
        self._adam.step()

    def state(self) -> dict[str, Tensor]:
        """Both moments of every leaf, and the number of steps."""
        copies = {name: moment.clone() for name, moment in self._moments.named().items()}
        return copies | {"steps": next(iter(self._adam.state.values()))["step"].clone()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state()`."""
        self._moments.load(state)
        for row_state in self._adam.state.values():
            row_state["step"].copy_(state["steps"])


class WholeStackAdam:
    """Adam as elementwise code over the stacked leaves, every factor a `[K, 1, ...]` tensor."""

    def __init__(self, leaves: Sequence[Tensor], settings: Sequence[AdamSettings]) -> None:
        self._moments = _Moments(leaves)
        self._settings = settings
        self._steps = 0
        self._beta1 = self._per_member([own.beta1 for own in settings])
        self._beta2 = self._per_member([own.beta2 for own in settings])

    def _per_member(self, values: Sequence[float]) -> Tensor:
        leaf = self._moments.leaves[0]
        return torch.tensor(values, dtype=leaf.dtype).to(leaf.device, non_blocking=True)

    def step(self, gradients: Sequence[Tensor]) -> None:
        """Apply one update; gradients are `[K, ...]`, as the leaves."""
        self._steps += 1
        t = self._steps
        rates = self._per_member([own.lr / (1 - own.beta1**t) for own in self._settings])
        roots = self._per_member([(1 - own.beta2**t) ** 0.5 for own in self._settings])
        for i, (leaf, gradient) in enumerate(zip(self._moments.leaves, gradients, strict=True)):
            first, second = self._moments.first[i], self._moments.second[i]
            shape = (-1, *(1 for _ in leaf.shape[1:]))
            beta1, beta2 = self._beta1.reshape(shape), self._beta2.reshape(shape)
            first.mul_(beta1).add_((1 - beta1) * gradient)
            second.mul_(beta2).add_((1 - beta2) * gradient.square())
            denominator = second.sqrt() / roots.reshape(shape) + EPS
            leaf.sub_(rates.reshape(shape) * first / denominator)

    def state(self) -> dict[str, Tensor]:
        """Both moments of every leaf, and the number of steps."""
        copies = {name: moment.clone() for name, moment in self._moments.named().items()}
        return copies | {"steps": torch.tensor(float(self._steps))}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state()`."""
        self._moments.load(state)
        self._steps = int(state["steps"])


def _as_laid_out(gradient: Tensor, leaf: Tensor) -> Tensor:
    """The gradient in the leaf's memory layout, which the fused kernel takes for granted."""
    if gradient.stride() == leaf.stride():
        return gradient
    return torch.empty_like(leaf).copy_(gradient)


def stacked_adam(leaves: Sequence[Tensor], settings: Sequence[AdamSettings]) -> StackedOptimizer:
    """The implementation that is fast on the leaves' device."""
    on_cpu = leaves[0].device.type == "cpu"
    return MemberwiseAdam(leaves, settings) if on_cpu else WholeStackAdam(leaves, settings)
