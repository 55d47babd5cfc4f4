"""What a step of somebody else's loop leaves for its record: read at the optimisers' steps, by hooks.

A discriminator's `.grad` also takes the generator's backward pass, and a loop may clear it at any time. So
gradients, learning rates and the weights of before are read where an optimiser is about to use them. The
hooks are there only while a step that is to be recorded runs; all other steps are what they were.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook
from torch.utils.hooks import RemovableHandle

from stability.gan.training.diagnostics import Trace, make_records, relative_update
from stability.records import Record

WRAPPERS = {"OptimizedModule": "_orig_mod", "DistributedDataParallel": "module", "DataParallel": "module"}
"""What torch.compile and data parallel training put around a network, and where they keep it."""
MOST_LOGITS = 1_024
"""A step's logits of each kind that are looked at, evenly taken: a map of them may have very many."""
LOSSES = ("loss_d", "loss_g", "penalty")
LOGITS = ("real_logits", "fake_logits")
"""What a loop tells of a step."""


@dataclass(slots=True)
class _Network:
    """What is read of one network at its optimiser's step."""

    module: nn.Module | None
    names: dict[int, str] = field(default_factory=dict)
    """By the weight's identity."""
    before: dict[str, Tensor] = field(default_factory=dict)
    grads: dict[str, Tensor] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.module is not None:
            self.module = unwrapped(self.module)
            self.names = {id(weight): name for name, weight in self.module.named_parameters()}

    def clear(self) -> None:
        self.before, self.grads, self.rates = {}, {}, {}

    @torch.no_grad()
    def read(self, optimizer: Optimizer) -> None:
        """Take what an optimiser is about to use, in place of what an earlier step of it used."""
        scale = getattr(optimizer, "grad_scale", None)  # of a fused one under GradScaler, still to be divided
        for group in optimizer.param_groups:
            for weight in group["params"]:
                name = self.names.get(id(weight))
                if name is None or weight.grad is None:
                    continue
                self.before[name] = weight.detach().clone()[None]
                grad = weight.grad.detach().to_dense() if weight.grad.is_sparse else weight.grad.detach()
                kept = grad.clone() if scale is None else grad / scale
                self.grads[name] = (kept if kept.dtype == torch.float64 else kept.float())[None]
                self.rates[name] = float(group["lr"])

    def update(self) -> Tensor | None:
        """`relative_update` of the last step; None where no optimiser has stepped over its weights."""
        if self.module is None or not self.before:
            return None
        now = {name: weight.detach()[None] for name, weight in self.module.named_parameters()}
        sizes = {name: weight.numel() for name, weight in self.before.items()}
        mean_square = sum(self.rates[name] ** 2 * size for name, size in sizes.items()) / sum(sizes.values())
        before = list(self.before.values())
        rate = torch.tensor([math.sqrt(mean_square)], dtype=before[0].dtype, device=before[0].device)
        return relative_update(before, [now[name] for name in self.before], rate)


class Taps:
    """The hooks of one run. `arm` before a step that is to be recorded, `record` after it."""

    def __init__(
        self,
        generator: nn.Module | None,
        discriminator: nn.Module | None,
        device: torch.device,
        *,
        sigmoid: bool,
    ) -> None:
        """Nothing is hooked yet; `sigmoid` says that logits mean probabilities."""
        self._device = device
        self._networks = {"g": _Network(generator), "d": _Network(discriminator)}
        self._discriminator = discriminator
        self._sigmoid = sigmoid
        self._handles: list[RemovableHandle] = []
        self._slopes: dict[str, Tensor] = {}
        self._kept_slopes: dict[str, Tensor] = {}

    def arm(self) -> None:
        """Put the hooks in place for the step that begins now."""
        for network in self._networks.values():
            network.clear()
        self._slopes, self._kept_slopes = {}, {}
        self._handles = [register_optimizer_step_pre_hook(self._before_step)]
        if self._discriminator is not None:
            self._handles.append(self._discriminator.register_forward_hook(self._judged))

    def disarm(self) -> None:
        """Take the hooks away."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def record(self, run: str, step: int, told: Mapping[str, Any]) -> Record:
        """The record of the step that has just ended; `told` are losses, penalty and logits, or None."""
        self.disarm()
        generator, discriminator = self._networks["g"], self._networks["d"]
        found = {name: _floats(value, self._device) for name, value in told.items() if value is not None}
        losses = {name: found[name].mean().reshape(1) for name in LOSSES if name in found}
        logits = {name: evenly(found[name].flatten(), MOST_LOGITS)[None] for name in LOGITS if name in found}
        if self._judged_both(logits):
            self._kept_slopes = {}
        trace = Trace(
            loss_d=losses.get("loss_d"),
            loss_g=losses.get("loss_g"),
            penalty=losses.get("penalty"),
            real_logits=logits.get("real_logits"),
            fake_logits=logits.get("fake_logits"),
            grads_d=discriminator.grads,
            grads_g=generator.grads,
            fake_grad=_image_slopes(self._kept_slopes.get("image")),
            logit_grad=_logit_slopes(self._kept_slopes.get("logit")),
        )
        updates = {"generator_update": generator.update(), "discriminator_update": discriminator.update()}
        known = {name: update for name, update in updates.items() if update is not None}
        record = make_records(trace, known, runs=[run], sigmoid=[self._sigmoid], step=step)[0]
        for network in self._networks.values():
            network.clear()
        self._slopes, self._kept_slopes = {}, {}
        return record

    def _judged_both(self, logits: Mapping[str, Tensor]) -> bool:
        """Whether the last pass held real images, too, so that nobody knows which slopes are the others'."""
        slope, rows = self._kept_slopes.get("logit"), sum(found.shape[1] for found in logits.values())
        return slope is not None and len(logits) == 2 and slope.numel() == rows

    def _before_step(
        self, optimizer: Optimizer, args: Any, kwargs: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]] | None:
        """Read what the optimiser is about to use; where there is a closure, as in Lightning, after it."""
        closure = (*args, kwargs.get("closure"))[1]
        if closure is None:
            self._read(optimizer)
            return None

        def read_after() -> Any:
            loss = closure()
            self._read(optimizer)
            return loss

        return (args[0], read_after), {}

    def _read(self, optimizer: Optimizer) -> None:
        for network in self._networks.values():
            network.read(optimizer)
        if _holds(optimizer, self._networks["g"].names):
            self._kept_slopes = dict(self._slopes)

    def _judged(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """Of a pass through the discriminator that leads back to the generator: ask for its slopes."""
        images = inputs[0] if inputs and isinstance(inputs[0], Tensor) else None
        if images is None or not isinstance(output, Tensor) or not images.requires_grad or images.is_leaf:
            return
        kind = images.device.type
        if torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.float16:
            return  # its loss is scaled by a number that is not known here
        for name, tensor in (("image", images), ("logit", output)):
            tensor.register_hook(partial(self._keep_slope, name))  # type: ignore[no-untyped-call]

    def _keep_slope(self, name: str, slope: Tensor) -> None:
        self._slopes[name] = slope.detach()


def unwrapped(module: nn.Module) -> nn.Module:
    """The module behind wrappers, which may compile anew or wait for other processes when they are called."""
    inner = getattr(module, WRAPPERS.get(type(module).__name__, ""), None)
    return unwrapped(inner) if isinstance(inner, nn.Module) else module


def evenly(values: Tensor, most: int) -> Tensor:
    """At most so many of the values, at even distances."""
    if len(values) <= most:
        return values
    return values[torch.linspace(0, len(values) - 1, most, device=values.device).round().long()]


def _holds(optimizer: Optimizer, names: Mapping[int, str]) -> bool:
    weights: Iterable[Any] = (weight for group in optimizer.param_groups for weight in group["params"])
    return any(id(weight) in names for weight in weights)


def _floats(value: Any, device: torch.device) -> Tensor:
    """Told numbers, at least in single precision, where the weights are."""
    told = torch.as_tensor(value).detach().to(device)
    return told if told.dtype == torch.float64 else told.float()


def _image_slopes(slope: Tensor | None) -> Tensor | None:
    """The summed loss's slopes of one member, `[1, images, numbers]`, of the mean loss's."""
    return None if slope is None else (slope.flatten(1) * len(slope))[None]


def _logit_slopes(slope: Tensor | None) -> Tensor | None:
    return None if slope is None else (slope.flatten() * slope.numel())[None]
