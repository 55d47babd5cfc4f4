"""What a cohort draws at random: each member from its own streams, stacked, on the device.

May not import store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from stability.gan.data.datasets import training_subset
from stability.gan.training.placement import Placement, sent
from stability.gan.training.streams import Purpose, Streams
from stability.spec.config import Run


class Draws:
    """The members' random streams, drawn from in step."""

    def __init__(self, members: Sequence[Run], placement: Placement) -> None:
        """Start every member's streams from its seed."""
        self._configs = [run.config for run in members]
        self._streams = [Streams(run.seed) for run in members]
        self._placement = placement
        self._subsets: dict[tuple[int, int], Tensor] = {}

    def indices(self, rows: int, total: int) -> Int64[Tensor, "members rows"]:
        """Indices of the next real images, of those out of `total` that a member trains on."""
        drawn = []
        for streams, config in zip(self._streams, self._configs, strict=True):
            if config.train_size is None:
                drawn.append(streams.indices(rows, total))
            else:
                subset = self._subset(total, config.train_size)
                drawn.append(subset[streams.indices(rows, config.train_size)])
        return self._sent(torch.stack(drawn))

    def first_indices(self, total: int) -> list[Int64[Tensor, " n"]]:
        """The training images of each member, out of `total`, in a fixed order."""
        sizes = [config.train_size for config in self._configs]
        return [torch.arange(total) if size is None else self._subset(total, size) for size in sizes]

    def z(self, rows: int) -> Float[Tensor, "members rows latent"]:
        """The next latent points."""
        config = self._configs[0]
        return self._place([own.z(rows, config.latent_dim, config.latent) for own in self._streams])

    def uniform(self, shape: Sequence[int]) -> Float[Tensor, "members ..."]:
        """The penalty's next numbers on [0, 1); none for an empty shape."""
        if not shape:
            return torch.empty(0, device=self._placement.device)
        return self._place([own.uniform(shape) for own in self._streams])

    def noise(self, shape: Sequence[int]) -> Float[Tensor, "members ..."]:
        """The next standard normal instance noise."""
        return self._place([own.noise(shape) for own in self._streams])

    def label_noise(self, batch: int) -> Float[Tensor, "members two batch"]:
        """The next moves of the targets of real and of fake examples, uniform on [-1, 1)."""
        return self._place([own.uniform((2, batch), "label-noise") * 2 - 1 for own in self._streams])

    def label_flips(self, batch: int) -> Float[Tensor, "members batch"]:
        """The next numbers on [0, 1) that decide which labels are traded."""
        return self._place([own.uniform((batch,), "label-flip") for own in self._streams])

    def replays(
        self, rows: int, batches: int
    ) -> tuple[Int64[Tensor, "members rows"], Float[Tensor, "members rows"]]:
        """The next batches that old fakes are taken from, and numbers on [0, 1) that decide whether."""
        places = self._sent(torch.stack([own.indices(rows, batches, "replay") for own in self._streams]))
        return places, self._place([own.uniform((rows,), "replay") for own in self._streams])

    def masks(self, shapes: Mapping[str, tuple[int, ...]], rows: int) -> dict[str, Tensor]:
        """The discriminators' next dropout masks, `[members, rows, *shape]` by name."""
        return self._masks(shapes, rows, "dropout", [config.dropout for config in self._configs])

    def generator_masks(self, shapes: Mapping[str, tuple[int, ...]], rows: int) -> dict[str, Tensor]:
        """The same for the generators."""
        return self._masks(shapes, rows, "dropout-generator", [config.dropout_g for config in self._configs])

    def _masks(
        self, shapes: Mapping[str, tuple[int, ...]], rows: int, purpose: Purpose, shares: Sequence[float]
    ) -> dict[str, Tensor]:
        pairs = list(zip(self._streams, shares, strict=True))
        return {
            name: self._place([own.mask((rows, *shape), share, purpose) for own, share in pairs])
            for name, shape in shapes.items()
        }

    def state(self) -> dict[str, Tensor]:
        """Where each stream stands, `[members, bytes]` by purpose."""
        states = [own.state() for own in self._streams]
        return {purpose: torch.stack([own[purpose] for own in states]) for purpose in Streams.LIVE}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state()`; a purpose that it does not know of has never been drawn for."""
        for k, own in enumerate(self._streams):
            own.load_state({purpose: state[purpose][k] for purpose in Streams.LIVE if purpose in state})

    def _place(self, drawn: Sequence[Tensor]) -> Tensor:
        return self._sent(torch.stack(list(drawn)).to(self._placement.dtype))

    def _sent(self, drawn: Tensor) -> Tensor:
        return sent(drawn, self._placement.device)

    def _subset(self, total: int, n: int) -> Tensor:
        if (total, n) not in self._subsets:
            self._subsets[total, n] = training_subset(total, n)
        return self._subsets[total, n]
