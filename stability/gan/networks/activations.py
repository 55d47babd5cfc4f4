"""The activations of the hidden layers.

torch's kernels for ELU and GELU compute the tail of a tensor with scalar code that rounds differently, so
that a number would depend on its place in the cohort. Of elementary operations they do not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stability.gan.networks.layers import LEAK
from stability.spec.config import Activation, NetworkSettings


class Elu(nn.Module):
    """x where positive, exp(x) - 1 elsewhere (Clevert 2016)."""

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Bend every number."""
        positive = x > 0
        below = x.masked_fill(positive, 0)  # else the branch not taken overflows and makes the gradient NaN
        return torch.where(positive, x, torch.expm1(below))


class Gelu(nn.Module):
    """x Phi(x), with the standard normal's distribution function (Hendrycks and Gimpel 2016)."""

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Bend every number."""
        return 0.5 * x * (1 + torch.erf(x * 0.5**0.5))


def hidden(network: NetworkSettings, own: Activation) -> nn.Module:
    """The activation of a network's hidden layers, by default the architecture's own."""
    return ACTIVATIONS[network.activation or own]()


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "leaky-relu": partial(nn.LeakyReLU, LEAK),
    "relu": nn.ReLU,
    "elu": Elu,
    "gelu": Gelu,
    "tanh": nn.Tanh,
}
