"""A member's weights at step 0."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from stability.gan.networks.layers import NORMS, RowNorm
from stability.spec.config import Init

INIT_STD = 0.02
SCALING = (*NORMS, RowNorm, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.InstanceNorm1d, nn.InstanceNorm2d)
"""Their weights are scales around 1."""


def _dcgan(weight: Tensor, *, generator: torch.Generator) -> Tensor:
    return torch.randn(weight.shape, generator=generator) * INIT_STD


INITS: dict[Init, Callable[..., Tensor]] = {
    "dcgan": _dcgan,
    "default": partial(nn.init.kaiming_uniform_, a=math.sqrt(5)),
    "orthogonal": nn.init.orthogonal_,
    "xavier": nn.init.xavier_uniform_,
}
"""How matrices and kernels of a tensor's shape are drawn from `generator`: N(0, .02) (Radford 2016), uniform
within +-1 / sqrt(fan_in) as torch does, orthogonal (Saxe 2014), uniform (Glorot 2010, eq. 16)."""


def initial_weights(
    template: nn.Module,
    *,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
    init: Init = "dcgan",
) -> dict[str, Tensor]:
    """Draw one member's weights, by default as in the DCGAN paper: N(0, .02), batchnorm scales N(1, .02).

    Biases are 0, with `default` uniform as their layer's weights; the scales of norms are 1 unless drawn as
    in that paper. Drawn in float32 on the CPU whatever the device, so that a seed means the same weights
    everywhere. A module with the attribute `initial_value` draws nothing: its own parameters, biases too,
    all start at that number.
    """
    return {
        f"{path}.{name}" if path else name: _start(module, name, parameter.shape, generator, init).to(dtype)
        for path, module in template.named_modules()
        for name, parameter in module.named_parameters(recurse=False)
    }


def _start(module: nn.Module, name: str, shape: torch.Size, generator: torch.Generator, init: Init) -> Tensor:
    fixed = getattr(module, "initial_value", None)
    if fixed is not None:
        return torch.full(shape, float(fixed))
    if name == "bias":
        bound = _bias_bound(module) if init == "default" else 0.0
        return torch.rand(shape, generator=generator) * 2 * bound - bound if bound else torch.zeros(shape)
    if isinstance(module, SCALING):
        return 1.0 + _dcgan(torch.empty(shape), generator=generator) if init == "dcgan" else torch.ones(shape)
    draw = INITS[init if len(shape) > 1 else "dcgan"]
    return draw(torch.empty(shape), generator=generator)


def _bias_bound(module: nn.Module) -> float:
    """1 / sqrt(fan_in) of the layer's matrix or kernel; 0 for a layer without one, such as a norm."""
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor) or weight.dim() < 2:
        return 0.0
    return 1 / math.sqrt(weight[0].numel())
