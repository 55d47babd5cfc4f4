"""One random generator per run and purpose, so that no draw of one purpose shifts another's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from stability.spec.config import Latent

Purpose = Literal[
    "init-generator",
    "init-discriminator",
    "data",
    "z",
    "penalty",
    "dropout",
    "evaluation",
    "instance-noise",
    "spectral-norm",
    "dropout-generator",
    "label-noise",
    "label-flip",
    "replay",
]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
"""A purpose's place is part of its seed: new ones go to the end."""
PICTURE_SEED = 20_140_610
_ROWS = 64
"""Drawn at a time for evaluations: what a row holds may depend on how many are drawn with it."""


def _normal(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    return torch.randn(rows, columns, generator=generator)


def _uniform(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    return torch.rand(rows, columns, generator=generator) * 2 - 1


def _sphere(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    points = torch.randn(rows, columns, generator=generator)
    scaled: Tensor = points * (columns**0.5 / points.norm(dim=1, keepdim=True))
    return scaled


LATENTS: dict[Latent, Callable[[int, int, torch.Generator], Tensor]] = {
    "normal": _normal,
    "uniform": _uniform,
    "sphere": _sphere,
}
"""How the latent points of each kind are drawn: (rows, columns, generator) -> z."""


def stream(seed: int, purpose: Purpose) -> torch.Generator:
    """The generator of one purpose of the run with this seed, at its start, on the CPU."""
    entropy = np.random.SeedSequence((seed, PURPOSES.index(purpose))).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(entropy >> np.uint64(1)))


class Streams:
    """The random streams that one run draws from while it trains."""

    LIVE: tuple[Purpose, ...] = (
        "data",
        "z",
        "penalty",
        "dropout",
        "instance-noise",
        "dropout-generator",
        "label-noise",
        "label-flip",
        "replay",
    )

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._generators = {purpose: stream(seed, purpose) for purpose in self.LIVE}

    def indices(self, batch: int, size: int, purpose: Purpose = "data") -> Int64[Tensor, " batch"]:
        """Indices of the next batch of real images, drawn independently (with replacement)."""
        return torch.randint(size, (batch,), generator=self._generators[purpose])

    def z(self, batch: int, latent_dim: int, latent: Latent = "normal") -> Float[Tensor, "batch latent"]:
        """The next batch of latent points."""
        return LATENTS[latent](batch, latent_dim, self._generators["z"])

    def uniform(self, shape: Sequence[int], purpose: Purpose = "penalty") -> Float[Tensor, "*shape"]:
        """The penalty's next numbers, or another purpose's, uniform on [0, 1)."""
        return torch.rand(*shape, generator=self._generators[purpose])

    def noise(self, shape: Sequence[int]) -> Float[Tensor, "*shape"]:
        """The next standard normal instance noise."""
        return torch.randn(*shape, generator=self._generators["instance-noise"])

    def mask(
        self, shape: tuple[int, ...], dropout: float, purpose: Purpose = "dropout"
    ) -> Float[Tensor, "*shape"]:
        """The next dropout mask: 0 with probability `dropout`, else 1 / (1 - dropout)."""
        kept = torch.rand(shape, generator=self._generators[purpose]) >= dropout
        return kept / (1 - dropout)

    def state(self, purposes: Sequence[Purpose] = LIVE) -> dict[Purpose, Tensor]:
        """Where each stream stands, as byte tensors."""
        return {purpose: self._generators[purpose].get_state() for purpose in purposes}

    def load_state(self, state: Mapping[Purpose, Tensor]) -> None:
        """Go on from `state()`."""
        for purpose, place in state.items():
            self._generators[purpose].set_state(place.clone())


def picture_noise(batch: int, latent_dim: int, latent: Latent = "normal") -> Float[Tensor, "batch latent"]:
    """The latent points behind the filmstrips: the same for every run of every study."""
    return LATENTS[latent](batch, latent_dim, torch.Generator().manual_seed(PICTURE_SEED))


def evaluation_noise(
    seed: int, n: int, latent_dim: int, latent: Latent = "normal"
) -> Float[Tensor, "n latent"]:
    """The latent points a run is evaluated on, the same at each visit, however many rows each takes."""
    generator = stream(seed, "evaluation")
    blocks = [LATENTS[latent](_ROWS, latent_dim, generator) for _ in range(-(-n // _ROWS))]
    return torch.cat(blocks)[:n]
