"""What the discriminators are told of their examples: labels that are smoothed, noisy, or traded.

May not import store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from stability.gan.training.draws import Draws

PerExample = Float[Tensor, "members batch"]
PerMember = Float[Tensor, " members"]


@dataclass(frozen=True, slots=True)
class Targets:
    """One batch's, None for what is as ever: 1 for real, 0 for fake, and each its own."""

    below: PerExample | None = None
    """How far the targets of real examples lie below 1."""
    above: PerExample | None = None
    """How far the targets of fake examples lie above 0."""
    trades: Bool[Tensor, "members batch"] | None = None
    """Which real and fake examples that stand beside each other are taken for each other."""

    def traded(self, real: PerExample, fake: PerExample) -> tuple[PerExample, PerExample]:
        """What is taken for real and for fake."""
        if self.trades is None:
            return real, fake
        return torch.where(self.trades, fake, real), torch.where(self.trades, real, fake)


PLAIN = Targets()


@dataclass(frozen=True, slots=True)
class Labels:
    """How a cohort's members label their batches; None for what none of them does."""

    draws: Draws
    smoothing: PerMember | None = None
    smoothing_fake: PerMember | None = None
    noise: PerMember | None = None
    flip: PerMember | None = None

    def faded(self, smoothing: PerMember, smoothing_fake: PerMember) -> Labels:
        """The same with what is left of the smoothings, of those that there are."""
        real = None if self.smoothing is None else smoothing
        fake = None if self.smoothing_fake is None else smoothing_fake
        return replace(self, smoothing=real, smoothing_fake=fake)

    def targets(self, batch: int) -> Targets:
        """The next batch's."""
        below, above = _for_all(self.smoothing, batch), _for_all(self.smoothing_fake, batch)
        if self.noise is not None:
            moves = self.noise[:, None, None] * self.draws.label_noise(batch)
            below = -moves[:, 0] if below is None else below - moves[:, 0]
            above = moves[:, 1] if above is None else above + moves[:, 1]
        trades = None if self.flip is None else self.draws.label_flips(batch) < self.flip[:, None]
        return Targets(below, above, trades)


def _for_all(values: PerMember | None, batch: int) -> PerExample | None:
    return None if values is None else values[:, None].expand(-1, batch)
