"""A member's weights at step 0."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stability.gan.networks.layers import NORMS

INIT_STD = 0.02
SCALING = (*NORMS, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.InstanceNorm1d, nn.InstanceNorm2d)
"""Their weights are scales around 1."""


def initial_weights(
    template: nn.Module, *, generator: torch.Generator, dtype: torch.dtype = torch.float32
) -> dict[str, Tensor]:
    """Draw one member's weights as in the DCGAN paper (Radford 2016): N(0, .02), batchnorm scales N(1, .02).

    Biases are 0. Drawn in float32 on the CPU whatever the device, so that a seed means the same weights
    everywhere. A module with the attribute `initial_value` draws nothing: its own parameters, biases too,
    all start at that number.
    """
    return {
        f"{path}.{name}" if path else name: _start(module, name, parameter.shape, generator).to(dtype)
        for path, module in template.named_modules()
        for name, parameter in module.named_parameters(recurse=False)
    }


def _start(module: nn.Module, name: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    fixed = getattr(module, "initial_value", None)
    if fixed is not None:
        return torch.full(shape, float(fixed))
    if name == "bias":
        return torch.zeros(shape)
    return torch.randn(shape, generator=generator) * INIT_STD + (1.0 if isinstance(module, SCALING) else 0.0)
