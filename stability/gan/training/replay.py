"""Old fakes that the discriminators are shown again (Shrivastava 2017, section 2.3).

May not import store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from stability.gan.training.draws import Draws
from stability.spec.config import Config

Fakes = Float[Tensor, "members n *image"]


class Replay:
    """A store of a few batches: where an old fake is shown, the new one stays, as in CycleGAN's code."""

    def __init__(
        self,
        config: Config,
        images: Shaped[Tensor, "n c h w"],
        share: Float[Tensor, " members"],
        draws: Draws,
    ) -> None:
        """Start empty.

        Args:
            config: of any member, for what is equal among them.
            images: any, for the shape of one.
            share: each member's probability that a fake is shown from the store.
            draws: where it is drawn from which fakes those are.

        """
        rows = config.batch_size * config.packing
        self._kept = share.new_zeros(len(share), config.replay_batches, rows, *images.shape[1:])
        self._share, self._draws, self._filled = share, draws, 0
        self._members = torch.arange(len(share), device=share.device)[:, None]
        self._rows = torch.arange(rows, device=share.device)

    @torch.no_grad()
    def exchange(self, fakes: Fakes) -> Fakes:
        """What is shown in place of new fakes: an old one of the same row, where it falls so.

        While the store is being filled all new fakes are kept, and shown.
        """
        batches, rows = self._kept.shape[1:3]
        if self._filled < batches:
            self._kept[:, self._filled] = fakes
            self._filled += 1
            return fakes
        places, chances = self._draws.replays(rows, batches)
        taken = (chances < self._share[:, None]).reshape(-1, rows, *(1 for _ in fakes.shape[2:]))
        old = self._kept[self._members, places, self._rows]
        self._kept[self._members, places, self._rows] = torch.where(taken, fakes, old)
        return torch.where(taken, old, fakes)

    def state(self) -> dict[str, Tensor]:
        """The kept fakes, `[K, ...]`, and how many batches there are of them."""
        return {"kept": self._kept.clone(), "filled": torch.tensor(self._filled)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state()`."""
        self._kept.copy_(state["kept"])
        self._filled = int(state["filled"])
