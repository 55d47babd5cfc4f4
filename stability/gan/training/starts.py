"""A cohort's networks at step 0, each member's by its own seed.

May not import store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stability.gan.networks import initial_weights
from stability.gan.training.placement import Placement
from stability.gan.training.spectral import WARM_UP, SpectralNorm
from stability.gan.training.stacked import StackedNetwork
from stability.gan.training.streams import Purpose, stream
from stability.spec.config import Run
from stability.spec.study import Compile


def started(
    template: nn.Module,
    purpose: Purpose,
    *,
    members: Sequence[Run],
    placement: Placement,
    compile: Compile = "none",
) -> StackedNetwork:
    """One network of every member, stacked, its weights drawn for the purpose."""
    dtype = placement.dtype
    weights = [
        initial_weights(template, generator=stream(run.seed, purpose), dtype=dtype, init=run.config.init)
        for run in members
    ]
    fused = placement.fused(members[0].config)
    return StackedNetwork(template, weights, device=placement.device, fused=fused, compile=compile)


def started_norm(network: StackedNetwork, members: Sequence[Run]) -> SpectralNorm:
    """Spectral norm of the network's matrices and kernels, from random vectors and a few iterations."""
    leaves = SpectralNorm.normalised(network.leaves)
    starts: dict[str, list[Tensor]] = {name: [] for name in leaves}
    for run in members:
        generator = stream(run.seed, "spectral-norm")
        for name, leaf in leaves.items():
            starts[name].append(torch.randn(leaf.shape[1], generator=generator))
    norm = SpectralNorm({name: torch.stack(rows).to(leaves[name]) for name, rows in starts.items()})
    norm.iterate(leaves, WARM_UP)
    return norm
