"""What a step's own tensors say about how training goes: per-member numbers, still on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from stability.gan.lanes import lane_aligned, row_sums
from stability.records import Record

NEAR = 0.01
"""A probability this close to 0 or 1 counts as saturated."""


@dataclass(slots=True)
class Trace:
    """The tensors of one step that its record is computed from; filled in while the step runs."""

    weights_d: list[Tensor] = field(default_factory=list)
    """Copies from before its update, as are `weights_g`; of several updates in a step, the last."""
    weights_g: list[Tensor] = field(default_factory=list)
    real_logits: Tensor = field(default_factory=lambda: torch.empty(0))
    fake_logits: Tensor = field(default_factory=lambda: torch.empty(0))
    loss_d: Tensor = field(default_factory=lambda: torch.empty(0))
    loss_g: Tensor = field(default_factory=lambda: torch.empty(0))
    penalty: Tensor | None = None
    grads_d: Mapping[str, Tensor] = field(default_factory=dict)
    grads_g: Mapping[str, Tensor] = field(default_factory=dict)
    fake_grad: Tensor = field(default_factory=lambda: torch.empty(0))
    """Batch times d loss_g / d fake image: the gradient of the summed loss."""
    logit_grad: Tensor = field(default_factory=lambda: torch.empty(0))
    """Batch times d loss_g / d fake logit."""


def separation(
    real_logits: Float[Tensor, "members m"], fake_logits: Float[Tensor, "members n"]
) -> Float[Tensor, " members"]:
    """P(r > f) + P(r = f) / 2 over all pairs; NaN where a logit is NaN."""
    r, f = real_logits.unsqueeze(2), fake_logits.unsqueeze(1)
    wins: Tensor = (r > f).to(r.dtype).mean((1, 2)) + (r == f).to(r.dtype).mean((1, 2)) / 2
    broken = real_logits.isnan().any(1) | fake_logits.isnan().any(1)
    return wins.masked_fill(broken, torch.nan)


def layer_norms(gradients: Mapping[str, Tensor]) -> dict[str, Float[Tensor, " members"]]:
    """Norm of the gradient of each layer (its weight and bias together), by the layer's name."""
    squares: dict[str, Tensor] = {}
    for name, gradient in gradients.items():
        layer = name.rpartition(".")[0]
        square = row_sums(gradient.flatten(1).square())
        squares[layer] = squares[layer] + square if layer in squares else square
    return {layer: square.sqrt() for layer, square in squares.items()}


def _sum(parts: Sequence[Tensor]) -> Tensor:
    """Added in order: a reduction over a stack would round by how many members there are."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def relative_update(
    before: Sequence[Tensor], after: Sequence[Tensor], learning_rates: Float[Tensor, " members"]
) -> Float[Tensor, " members"]:
    """|change of weights| / (learning rate sqrt(number of weights)): scale-free under Adam.

    At a learning rate of 0 it is 0.
    """
    squares = [row_sums((b - a.detach()).flatten(1).square()) for b, a in zip(before, after, strict=True)]
    count = sum(b[0].numel() for b in before)
    update: Tensor = _sum(squares).sqrt() / (learning_rates * count**0.5)
    return update.masked_fill(learning_rates == 0, 0)


def near_share(probability: Float[Tensor, "members batch"]) -> Float[Tensor, " members"]:
    """Share of the probabilities within .01 of 0 or 1; NaN where one is NaN."""
    share = ((probability < NEAR) | (probability > 1 - NEAR)).to(probability.dtype).mean(1)
    return share.masked_fill(probability.isnan().any(1), torch.nan)


def _probability(logits: Float[Tensor, "members batch"]) -> Float[Tensor, "members batch"]:
    return lane_aligned(logits).sigmoid()[:, : logits.shape[1]]


def _scalars(trace: Trace) -> dict[str, Tensor]:
    real, fake = trace.real_logits, trace.fake_logits
    real_probability, fake_probability = _probability(real), _probability(fake)
    return {
        "loss_d": trace.loss_d,
        "loss_g": trace.loss_g,
        "real_logit_mean": real.mean(1),
        "real_logit_std": real.std(1),
        "fake_logit_mean": fake.mean(1),
        "fake_logit_std": fake.std(1),
        "real_probability": real_probability.mean(1),
        "fake_probability": fake_probability.mean(1),
        "real_saturated_share": near_share(real_probability),
        "fake_saturated_share": near_share(fake_probability),
        "separation": separation(real, fake),
        "fake_grad_norm": trace.fake_grad.flatten(2).square().sum(2).sqrt().mean(1),
        "signal": trace.logit_grad.abs().mean(1),
    }


PROBABILITIES = ("real_probability", "fake_probability", "real_saturated_share", "fake_saturated_share")


def _columns(values: Sequence[Tensor]) -> list[list[float]]:
    """Per-member lists of plain floats, moved off the device in one transfer."""
    return [list(map(float, row)) for row in torch.stack(list(values), 1).tolist()]


def _norms_by_member(gradients: Mapping[str, Tensor]) -> tuple[tuple[str, ...], Tensor, list[list[float]]]:
    norms = layer_norms(gradients)
    total = _sum([norm.square() for norm in norms.values()]).sqrt()
    return tuple(norms), total, _columns(list(norms.values()))


def make_records(
    trace: Trace,
    updates: Mapping[str, Tensor],
    *,
    runs: Sequence[str],
    sigmoid: Sequence[bool],
    step: int,
) -> list[Record]:
    """One record per member.

    Args:
        trace: what the step left.
        updates: `generator_update` and `discriminator_update`, `[K]` each.
        runs: the members' names.
        sigmoid: whether a member's loss gives its logits a meaning as probabilities.
        step: the generator update that was traced.

    """
    layers_g, norm_g, norms_g = _norms_by_member(trace.grads_g)
    layers_d, norm_d, norms_d = _norms_by_member(trace.grads_d)
    scalars = _scalars(trace) | {"grad_norm_g": norm_g, "grad_norm_d": norm_d} | dict(updates)
    if trace.penalty is not None:
        scalars["penalty"] = trace.penalty
    records = []
    for k, row in enumerate(_columns(list(scalars.values()))):
        numbers: dict[str, float | None] = dict(zip(scalars, row, strict=True))
        numbers.setdefault("penalty", None)
        if not sigmoid[k]:
            numbers |= dict.fromkeys(PROBABILITIES)
        records.append(
            Record(
                run=runs[k],
                step=step,
                layer_grad_norms_g=tuple(norms_g[k]),
                layer_grad_norms_d=tuple(norms_d[k]),
                layer_names_g=layers_g,
                layer_names_d=layers_d,
                **numbers,  # type: ignore[arg-type]
            )
        )
    return records


def first_bad_tensor(
    first_bad: Float[Tensor, "tensors members"], names: Sequence[str], k: int
) -> tuple[int, str] | None:
    """The first step at which member k had something not finite, and the first tensor in that step."""
    steps: list[float] = first_bad[:, k].tolist()
    earliest = min(steps)
    return None if earliest == float("inf") else (int(earliest), names[steps.index(earliest)])


def note_bad(
    first_bad: Float[Tensor, "*tensors members"], values: Float[Tensor, "*tensors members"], step: int
) -> Float[Tensor, "*tensors members"]:
    """Remember `step` wherever a value is not finite for the first time; no transfer off the device."""
    bad: Bool[Tensor, "*tensors members"] = ~values.isfinite()
    return torch.where(bad & first_bad.isinf(), float(step), first_bad)
