"""What a cohort draws at random: each member from its own streams, stacked, on the device.

May not import store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from math import prod

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from stability.gan.data.datasets import training_subset
from stability.gan.training.placement import Placement
from stability.gan.training.stock import Request, Stock
from stability.gan.training.streams import Purpose, Streams
from stability.spec.config import Config, Run

Shape = Sequence[int]


def drawing_ahead(device: torch.device) -> Executor | None:
    """A thread that draws while the device works; on the CPU it would take a core from the training."""
    return None if device.type == "cpu" else ThreadPoolExecutor(1, thread_name_prefix="draws")


class Draws:
    """The members' random streams, drawn from in step."""

    def __init__(self, members: Sequence[Run], placement: Placement, ahead: Executor | None = None) -> None:
        """Start every member's streams from its seed; `ahead` draws what the next steps will ask for."""
        self._configs = [run.config for run in members]
        self._streams = [Streams(run.seed) for run in members]
        self._placement = placement
        self._stocks = {purpose: Stock(purpose, self._streams, placement, ahead) for purpose in Streams.LIVE}
        self._subsets: dict[tuple[int, int], Tensor] = {}

    def indices(self, rows: int, total: int) -> Int64[Tensor, "members rows"]:
        """Indices of the next real images, of those out of `total` that a member trains on."""

        def draw(own: Streams, config: Config, times: int) -> Tensor:
            if config.train_size is None:
                return own.indices(times * rows, total)
            return self._subset(total, config.train_size)[own.indices(times * rows, config.train_size)]

        return self._next("data", (rows,), draw, total)

    def first_indices(self, total: int) -> list[Int64[Tensor, " n"]]:
        """The training images of each member, out of `total`, in a fixed order."""
        sizes = [config.train_size for config in self._configs]
        return [torch.arange(total) if size is None else self._subset(total, size) for size in sizes]

    def z(self, rows: int) -> Float[Tensor, "members rows latent"]:
        """The next latent points."""

        def draw(own: Streams, config: Config, times: int) -> Tensor:
            return own.z(times * rows, config.latent_dim, config.latent)

        return self._next("z", (rows, self._configs[0].latent_dim), draw)

    def uniform(self, shape: Shape) -> Float[Tensor, "members ..."]:
        """The penalty's next numbers on [0, 1); none for an empty shape."""
        if not shape:
            return torch.empty(0, device=self._placement.device)
        return self._next("penalty", shape, lambda own, _, times: own.uniform((times, *shape)))

    def noise(self, shape: Shape) -> Float[Tensor, "members ..."]:
        """The next standard normal instance noise."""
        return self._next("instance-noise", shape, lambda own, _, times: own.noise((times, *shape)))

    def label_noise(self, batch: int) -> Float[Tensor, "members two batch"]:
        """The next moves of the targets of real and of fake examples, uniform on [-1, 1)."""

        def draw(own: Streams, _: Config, times: int) -> Tensor:
            return own.uniform((times, 2, batch), "label-noise") * 2 - 1

        return self._next("label-noise", (2, batch), draw)

    def label_flips(self, batch: int) -> Float[Tensor, "members batch"]:
        """The next numbers on [0, 1) that decide which labels are traded."""
        return self._next(
            "label-flip", (batch,), lambda own, _, times: own.uniform((times, batch), "label-flip")
        )

    def replays(
        self, rows: int, batches: int
    ) -> tuple[Int64[Tensor, "members rows"], Float[Tensor, "members rows"]]:
        """The next batches that old fakes are taken from, and numbers on [0, 1) that decide whether."""
        places = self._next(
            "replay", (rows,), lambda own, _, times: own.indices(times * rows, batches, "replay"), "places"
        )
        return places, self._next(
            "replay", (rows,), lambda own, _, times: own.uniform((times, rows), "replay"), "chances"
        )

    def masks(self, shapes: Mapping[str, tuple[int, ...]], rows: int) -> dict[str, Tensor]:
        """The discriminators' next dropout masks, `[members, rows, *shape]` by name."""
        return self._masks(shapes, rows, "dropout", lambda config: config.dropout)

    def generator_masks(self, shapes: Mapping[str, tuple[int, ...]], rows: int) -> dict[str, Tensor]:
        """The same for the generators."""
        return self._masks(shapes, rows, "dropout-generator", lambda config: config.dropout_g)

    def _masks(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        rows: int,
        purpose: Purpose,
        share: Callable[[Config], float],
    ) -> dict[str, Tensor]:
        if not shapes:
            return {}
        sizes = [rows * prod(shape) for shape in shapes.values()]

        def draw(own: Streams, config: Config, times: int) -> Tensor:
            return own.mask((times, sum(sizes)), share(config), purpose)

        parts = torch.split(self._next(purpose, (sum(sizes),), draw), sizes, 1)
        return {
            name: part.reshape(len(part), rows, *shape)
            for (name, shape), part in zip(shapes.items(), parts, strict=True)
        }

    def state(self) -> dict[str, Tensor]:
        """Where each stream stands, `[members, bytes]` by purpose."""
        self._settle()
        states = [own.state() for own in self._streams]
        return {purpose: torch.stack([own[purpose] for own in states]) for purpose in Streams.LIVE}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state()`; a purpose that it does not know of has never been drawn for."""
        self._settle()
        for k, own in enumerate(self._streams):
            own.load_state({purpose: state[purpose][k] for purpose in Streams.LIVE if purpose in state})

    def _next(
        self, purpose: Purpose, shape: Shape, draw: Callable[[Streams, Config, int], Tensor], *kind: object
    ) -> Shaped[Tensor, "members ..."]:
        """What one member draws has this shape; `kind` tells apart what is drawn otherwise in the same."""

        def drawn(member: int, times: int) -> Tensor:
            return draw(self._streams[member], self._configs[member], times).reshape(times, *shape)

        return self._stocks[purpose].take(Request((*shape, *kind), prod(shape), drawn))

    def _settle(self) -> None:
        for stock in self._stocks.values():
            stock.settle()

    def _subset(self, total: int, n: int) -> Tensor:
        if (total, n) not in self._subsets:
            self._subsets[total, n] = training_subset(total, n)
        return self._subsets[total, n]
