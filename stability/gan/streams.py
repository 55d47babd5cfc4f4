"""One random generator per run and purpose, so that no draw of one purpose shifts another's."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

Purpose = Literal["init-generator", "init-discriminator", "data", "z", "penalty", "dropout", "evaluation"]
PURPOSES: tuple[Purpose, ...] = (
    "init-generator",
    "init-discriminator",
    "data",
    "z",
    "penalty",
    "dropout",
    "evaluation",
)
PICTURE_SEED = 20_140_610
_ROWS = 64
"""Drawn at a time for evaluations: what a row holds may depend on how many are drawn with it."""


def stream(seed: int, purpose: Purpose) -> torch.Generator:
    """The generator of one purpose of the run with this seed, at its start, on the CPU."""
    entropy = np.random.SeedSequence((seed, PURPOSES.index(purpose))).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(entropy >> np.uint64(1)))


class Streams:
    """The random streams that one run draws from while it trains."""

    LIVE: tuple[Purpose, ...] = ("data", "z", "penalty", "dropout")

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._generators = {purpose: stream(seed, purpose) for purpose in self.LIVE}

    def indices(self, batch: int, size: int) -> Int64[Tensor, " batch"]:
        """Indices of the next batch of real images, drawn independently (with replacement)."""
        return torch.randint(size, (batch,), generator=self._generators["data"])

    def z(self, batch: int, latent_dim: int) -> Float[Tensor, "batch latent"]:
        """The next batch of standard normal noise."""
        return torch.randn(batch, latent_dim, generator=self._generators["z"])

    def mix(self, batch: int) -> Float[Tensor, " batch"]:
        """The penalty's next mixing weights, uniform on [0, 1)."""
        return torch.rand(batch, generator=self._generators["penalty"])

    def mask(self, shape: tuple[int, ...], dropout: float) -> Float[Tensor, "*shape"]:
        """The next dropout mask: 0 with probability `dropout`, else 1 / (1 - dropout)."""
        kept = torch.rand(shape, generator=self._generators["dropout"]) >= dropout
        return kept / (1 - dropout)

    def state(self) -> dict[str, Tensor]:
        """Where each stream stands, as byte tensors."""
        return {purpose: generator.get_state() for purpose, generator in self._generators.items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on from `state()`."""
        for purpose, generator in self._generators.items():
            generator.set_state(state[purpose].clone())


def picture_noise(batch: int, latent_dim: int) -> Float[Tensor, "batch latent"]:
    """The noise behind the filmstrips: the same for every run of every study."""
    return torch.randn(batch, latent_dim, generator=torch.Generator().manual_seed(PICTURE_SEED))


def evaluation_noise(seed: int, n: int, latent_dim: int) -> Float[Tensor, "n latent"]:
    """The noise that a run is evaluated on, the same at each of its visits, however many rows each takes."""
    generator = stream(seed, "evaluation")
    blocks = [torch.randn(_ROWS, latent_dim, generator=generator) for _ in range(-(-n // _ROWS))]
    return torch.cat(blocks)[:n]
