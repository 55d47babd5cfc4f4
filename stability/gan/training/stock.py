"""Random numbers drawn for several steps at a time: the same numbers, in fewer calls, before they are needed.

May not import store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass

import torch
from jaxtyping import Shaped
from torch import Tensor

from stability.gan.training.placement import Placement, pinned, sent
from stability.gan.training.streams import Purpose, Streams

STEPS = 16
"""Drawn at a time, at most."""
NUMBERS = 2**22
"""The same, of all members together."""
BLOCK = 16
"""torch fills normal numbers in blocks of so many; only whole blocks join to the same numbers."""


@dataclass(frozen=True, slots=True)
class Request:
    """A kind of draw."""

    key: Hashable
    """Equal for requests of the same kind."""
    numbers: int
    """Of one member."""
    draw: Callable[[int, int], Shaped[Tensor, "times ..."]]
    """(member, times): what that many requests in turn are given."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """What was drawn at a time, and where the streams stood before."""

    numbers: Shaped[Tensor, "times members ..."]
    before: list[Tensor]


class Stock:
    """The members' draws of one purpose.

    A request that repeats the one before it finds its numbers drawn already; for another one the streams go
    back to where they would stand had nothing been drawn ahead.
    """

    def __init__(
        self, purpose: Purpose, streams: Sequence[Streams], placement: Placement, ahead: Executor | None
    ) -> None:
        """Draw nothing yet; `ahead` draws each batch while the one before it is being used."""
        self._purpose, self._streams, self._placement, self._ahead = purpose, streams, placement, ahead
        self._request: Request | None = None
        self._batch: _Batch | None = None
        self._coming: Future[_Batch] | None = None
        self._ready: Tensor = torch.empty(0)
        self._used = 0

    def take(self, request: Request) -> Shaped[Tensor, "members ..."]:
        """The next numbers, on the device."""
        if self._request is None or request.key != self._request.key:
            self.settle()
            self._request = request
            self._adopt(self._drawn(request, 1))
        elif self._used == len(self._ready):
            times = self._times(request, 2 * len(self._ready))
            self._adopt(self._drawn(request, times) if self._coming is None else self._coming.result())
            if self._ahead is not None:
                more = self._times(request, 2 * len(self._ready))
                self._coming = self._ahead.submit(self._drawn, request, more)
        self._used += 1
        return self._ready[self._used - 1]

    def settle(self) -> None:
        """Let the streams stand where the numbers that were taken end."""
        if self._coming is not None:
            self._return_to(self._coming.result())
        if self._batch is not None and self._request is not None and self._used < len(self._ready):
            self._return_to(self._batch)
            for member in range(len(self._streams)):
                self._request.draw(member, self._used)
        self._request = self._batch = self._coming = None

    def _adopt(self, batch: _Batch) -> None:
        self._batch, self._coming, self._used = batch, None, 0
        self._ready = sent(batch.numbers, self._placement.device)

    def _times(self, request: Request, wanted: int) -> int:
        if request.numbers % BLOCK:
            return 1
        return max(1, min(wanted, STEPS, NUMBERS // (request.numbers * len(self._streams))))

    def _drawn(self, request: Request, times: int) -> _Batch:
        before = [own.state([self._purpose])[self._purpose] for own in self._streams]
        numbers = torch.stack([request.draw(member, times) for member in range(len(self._streams))], 1)
        if numbers.is_floating_point():
            numbers = numbers.to(self._placement.dtype)
        return _Batch(pinned(numbers, self._placement.device), before)

    def _return_to(self, batch: _Batch) -> None:
        for own, place in zip(self._streams, batch.before, strict=True):
            own.load_state({self._purpose: place})
