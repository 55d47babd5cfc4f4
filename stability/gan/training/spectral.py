"""Spectral normalisation of stacked weights: every member's matrix over its largest singular value.

The power iteration runs on the stack, since torch's own module cannot be trained under vmap. May not import
store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from stability.gan.arithmetic.stable_sums import row_sums

WARM_UP = 15
"""Iterations before the first step, as torch's own."""
EPS = 1e-12

Matrices = Float[Tensor, "members rows columns"]


class SpectralNorm:
    """W / sigma(W) for every weight of a stacked network (Miyato 2018, algorithm 1).

    sigma is u'Wv with u and v from one power iteration per discriminator update; the gradient passes through
    sigma, not through u and v. Convolutions count as matrices `[out, in * height * width]`.
    """

    def __init__(self, starts: Mapping[str, Float[Tensor, "members rows"]]) -> None:
        """Start from any vectors that are not 0, by name of the weight, as long as its second axis."""
        self._left = {name: _unit(start) for name, start in starts.items()}

    @staticmethod
    def normalised(leaves: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Those of the stacked leaves that are matrices or kernels: not biases, not batchnorm's scales."""
        return {name: leaf for name, leaf in leaves.items() if leaf.dim() > 2}

    @torch.no_grad()
    def iterate(self, leaves: Mapping[str, Tensor], times: int = 1) -> None:
        """Improve the singular vectors, once per discriminator update."""
        for name in self._left:
            matrix = _matrices(leaves[name])
            for _ in range(times):
                self._left[name] = _unit(_product(matrix, _right(matrix, self._left[name])))

    def __call__(self, leaves: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights that the network is run with, differentiable in the leaves."""
        return {name: leaf / self._sigma(name, leaf) for name, leaf in leaves.items() if name in self._left}

    def _sigma(self, name: str, leaf: Tensor) -> Tensor:
        left, matrix = self._left[name], _matrices(leaf)
        with torch.no_grad():
            right = _right(matrix, left)
        sigma = row_sums(left * _product(matrix, right))
        return sigma.reshape(-1, *(1 for _ in leaf.shape[1:]))

    def select(self, keep: Sequence[int]) -> None:
        """Keep only these members, in this order."""
        self._left = {name: left[list(keep)] for name, left in self._left.items()}

    def state(self) -> dict[str, Tensor]:
        """The singular vectors by name of the weight."""
        return {name: left.clone() for name, left in self._left.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state()`."""
        self._left = {name: state[name].to(left.device) for name, left in self._left.items()}


def _matrices(leaf: Tensor) -> Matrices:
    return leaf.flatten(2)


def _right(matrix: Matrices, left: Float[Tensor, "members rows"]) -> Float[Tensor, "members columns"]:
    return _unit(_product(matrix.transpose(1, 2), left))


def _product(matrix: Matrices, vector: Float[Tensor, "members n"]) -> Float[Tensor, "members m"]:
    """Each member's matrix times its vector; a lone one is doubled, since it would round differently."""
    if len(matrix) == 1:
        return torch.bmm(torch.cat([matrix] * 2), torch.cat([vector] * 2).unsqueeze(2))[:1, :, 0]
    return torch.bmm(matrix, vector.unsqueeze(2)).squeeze(2)


def _unit(vector: Float[Tensor, "members n"]) -> Float[Tensor, "members n"]:
    return vector / row_sums(vector.square()).sqrt().clamp_min(EPS)[:, None]
