"""What a step's own tensors say about how training goes: per-member numbers, still on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from stability.gan.arithmetic.stable_sums import lane_aligned, row_sums
from stability.records import Record

NEAR = 0.01
"""A probability this close to 0 or 1 counts as saturated."""


@dataclass(slots=True)
class Trace:
    """The tensors of one step that its record is computed from, filled in while the step runs.

    The engine fills in all of them; what a loop of the user's own does not tell stays None or empty, and is
    None in the record.
    """

    weights_d: list[Tensor] = field(default_factory=list)
    """Copies from before its update, as are `weights_g`; of several updates in a step, the last."""
    weights_g: list[Tensor] = field(default_factory=list)
    real_logits: Tensor | None = None
    fake_logits: Tensor | None = None
    loss_d: Tensor | None = None
    loss_g: Tensor | None = None
    penalty: Tensor | None = None
    grads_d: Mapping[str, Tensor] = field(default_factory=dict)
    grads_g: Mapping[str, Tensor] = field(default_factory=dict)
    fake_grad: Tensor | None = None
    """Batch times d loss_g / d fake image: the gradient of the summed loss."""
    logit_grad: Tensor | None = None
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
    """What the step left, by the record's field."""
    found = {"loss_d": trace.loss_d, "loss_g": trace.loss_g, "penalty": trace.penalty}
    for side, logits in (("real", trace.real_logits), ("fake", trace.fake_logits)):
        if logits is not None:
            probability = _probability(logits)
            found[f"{side}_logit_mean"] = logits.mean(1)
            found[f"{side}_logit_std"] = logits.std(1)
            found[f"{side}_probability"] = probability.mean(1)
            found[f"{side}_saturated_share"] = near_share(probability)
    if trace.real_logits is not None and trace.fake_logits is not None:
        found["separation"] = separation(trace.real_logits, trace.fake_logits)
    if trace.fake_grad is not None:
        found["fake_grad_norm"] = trace.fake_grad.flatten(2).square().sum(2).sqrt().mean(1)
    if trace.logit_grad is not None:
        found["signal"] = trace.logit_grad.abs().mean(1)
    return {name: value for name, value in found.items() if value is not None}


PROBABILITIES = ("real_probability", "fake_probability", "real_saturated_share", "fake_saturated_share")
NUMBERS = tuple(
    item.name
    for item in fields(Record)
    if item.name not in ("run", "step") and not item.name.startswith("layer_")
)
"""The fields of a record that are one number, or None."""


def _columns(values: Sequence[Tensor]) -> list[list[float]]:
    """Per-member lists of plain floats, moved off the device in one transfer."""
    return [list(map(float, row)) for row in torch.stack(list(values), 1).tolist()]


def _norms_by_member(
    gradients: Mapping[str, Tensor], members: int
) -> tuple[tuple[str, ...], Tensor | None, list[list[float]]]:
    if not gradients:
        return (), None, [[]] * members
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
        updates: `generator_update` and `discriminator_update`, `[K]` each, as far as they are known.
        runs: the members' names.
        sigmoid: whether a member's loss gives its logits a meaning as probabilities.
        step: the generator update that was traced.

    """
    layers_g, norm_g, norms_g = _norms_by_member(trace.grads_g, len(runs))
    layers_d, norm_d, norms_d = _norms_by_member(trace.grads_d, len(runs))
    norms = {"grad_norm_g": norm_g, "grad_norm_d": norm_d}
    scalars = (
        _scalars(trace) | {name: norm for name, norm in norms.items() if norm is not None} | dict(updates)
    )
    records = []
    for k, row in enumerate(_columns(list(scalars.values())) if scalars else [[]] * len(runs)):
        numbers = dict.fromkeys(NUMBERS) | dict(zip(scalars, row, strict=True))
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
                **numbers,
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
