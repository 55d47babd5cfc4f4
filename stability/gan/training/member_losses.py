"""The losses of a cohort's members, each under its own. May not import store, design, runner or outcomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from stability.gan.arithmetic.stable_sums import lane_aligned
from stability.gan.losses import Loss, find_loss
from stability.gan.training.targets import PLAIN, Targets

MemberLogits = Float[Tensor, "members batch"]


def accuracy(loss: Loss, real_logits: MemberLogits, fake_logits: MemberLogits) -> Float[Tensor, " members"]:
    """Share of the batch that the discriminator tells right: each logit's side, or each pair's order."""
    if loss.boundary is None:
        return (real_logits > fake_logits).to(real_logits.dtype).mean(1)
    right = torch.cat([real_logits > loss.boundary, fake_logits < loss.boundary], 1)
    return right.to(real_logits.dtype).mean(1)


class MemberLosses:
    """Each member of a cohort under its own loss: the table's functions on the rows that use them."""

    def __init__(
        self, names: Sequence[str], device: torch.device, *, orders: tuple[Tensor, Tensor] | None = None
    ) -> None:
        """Sort the members by loss; `orders` are the discriminators' and the generators', `[K]`, if used."""
        by_loss = {name: [k for k, own in enumerate(names) if own == name] for name in dict.fromkeys(names)}
        grouped = [k for rows in by_loss.values() for k in rows]
        self._losses = {name: find_loss(name) for name in by_loss}
        self.sigmoid = [self._losses[name].sigmoid for name in names]
        self.paired = any(loss.paired for loss in self._losses.values())
        self._rows = {name: torch.tensor(rows, device=device) for name, rows in by_loss.items()}
        self._orders = orders
        self._order = torch.tensor([grouped.index(k) for k in range(len(names))], device=device)

    def discriminators(
        self, real_logits: MemberLogits, fake_logits: MemberLogits, targets: Targets = PLAIN
    ) -> MemberLogits:
        """What the discriminators minimise, per example, told these targets."""
        real_logits, fake_logits = targets.traded(real_logits, fake_logits)
        below, above = (None if e is None else lane_aligned(e) for e in (targets.below, targets.above))

        def side(name: str, real: Tensor, fake: Tensor) -> Tensor:
            loss, rows = self._losses[name], self._rows[name]
            values = loss.discriminator(real, fake, *self._own_order(name, 0))
            if below is not None and loss.smoothing is not None:
                values = values + loss.smoothing(real, below[rows])
            if above is not None and loss.smoothing_fake is not None:
                values = values + loss.smoothing_fake(fake, above[rows])
            return values

        return self._apply(side, real_logits, fake_logits)

    def generators(self, real_logits: MemberLogits, fake_logits: MemberLogits) -> MemberLogits:
        """What the generators minimise, per example."""

        def side(name: str, real: Tensor, fake: Tensor) -> Tensor:
            return self._losses[name].generator(real, fake, *self._own_order(name, 1))

        return self._apply(side, real_logits, fake_logits)

    def accuracies(self, real_logits: MemberLogits, fake_logits: MemberLogits) -> Float[Tensor, " members"]:
        """Each discriminator's accuracy on the batch."""
        rows_by_loss = [(self._losses[name], rows) for name, rows in self._rows.items()]
        values = [accuracy(loss, real_logits[rows], fake_logits[rows]) for loss, rows in rows_by_loss]
        return torch.cat(values)[self._order]

    def _own_order(self, name: str, side: int) -> tuple[Tensor, ...]:
        """The third argument of a loss that has one: of the discriminators (0) or of the generators (1)."""
        if self._orders is None or not self._losses[name].has_order:
            return ()
        return (self._orders[side][self._rows[name], None],)

    def _apply(
        self, side: Callable[[str, Tensor, Tensor], Tensor], real_logits: Tensor, fake_logits: Tensor
    ) -> Tensor:
        real, fake = lane_aligned(real_logits), lane_aligned(fake_logits)
        values = [side(name, real[rows], fake[rows]) for name, rows in self._rows.items()]
        return torch.cat(values)[self._order, : fake_logits.shape[1]]
