"""The losses, as per-example values of the real and fake logits; their batch means are what is minimised.

Formulas in real logit r and fake logit f, softplus s. Every function takes and returns `[..., batch]`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import relu, softplus

from stability.gan.lanes import lane_aligned
from stability.gan.targets import PLAIN, Targets

Logits = Float[Tensor, "*members batch"]
MemberLogits = Float[Tensor, "members batch"]
LossFunction = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Loss:
    """What discriminator and generator minimise, both as functions of (real_logits, fake_logits)."""

    discriminator: LossFunction
    generator: LossFunction
    sigmoid: bool = False
    """Whether sigmoid(logit) is the discriminator's probability of "real"."""
    boundary: float | None = None
    """A logit above it says "real"; None where only the order of a real and a fake logit has a meaning."""
    smoothing: LossFunction | None = None
    """What a target of 1 - e for real examples adds to the discriminator's loss, of (real_logits, e)."""
    smoothing_fake: LossFunction | None = None
    """What a target of e for fake examples adds, of (fake_logits, e)."""
    paired: bool = False
    """Whether the generator's loss reads the real logits, too."""


def minimax_d(real_logits: Logits, fake_logits: Logits) -> Logits:
    """s(-r) + s(f): the cross-entropy of "real" and "fake" (Goodfellow 2014, eq. 1)."""
    return softplus(-real_logits) + softplus(fake_logits)


def minimax_g(real_logits: Logits, fake_logits: Logits) -> Logits:
    """-s(f) = log(1 - D(fake)): saturates where D is sure (Goodfellow 2014, eq. 1)."""
    return -softplus(fake_logits)


def non_saturating_g(real_logits: Logits, fake_logits: Logits) -> Logits:
    """s(-f) = -log D(fake) (Goodfellow 2014, section 3)."""
    return softplus(-fake_logits)


def least_squares_d(real_logits: Logits, fake_logits: Logits) -> Logits:
    """((r - 1)^2 + f^2) / 2 (Mao 2017, eq. 9)."""
    return ((real_logits - 1).square() + fake_logits.square()) / 2


def least_squares_g(real_logits: Logits, fake_logits: Logits) -> Logits:
    """(f - 1)^2 / 2 (Mao 2017, eq. 9)."""
    return (fake_logits - 1).square() / 2


def hinge_d(real_logits: Logits, fake_logits: Logits) -> Logits:
    """relu(1 - r) + relu(1 + f) (Lim & Ye 2017; Miyato 2018, eq. 16)."""
    return relu(1 - real_logits) + relu(1 + fake_logits)


def wasserstein_d(real_logits: Logits, fake_logits: Logits) -> Logits:
    """Minimise f - r: minus the critic's estimate of the distance (Arjovsky 2017, eq. 2)."""
    return fake_logits - real_logits


def critic_g(real_logits: Logits, fake_logits: Logits) -> Logits:
    """-f, the generator's side of hinge and wasserstein."""
    return -fake_logits


def relativistic_d(real_logits: Logits, fake_logits: Logits) -> Logits:
    """s(f - r): real should look more real than the fake beside it (Jolicoeur-Martineau 2019, RpGAN)."""
    return softplus(fake_logits - real_logits)


def relativistic_g(real_logits: Logits, fake_logits: Logits) -> Logits:
    """s(r - f): the same with the roles exchanged (Jolicoeur-Martineau 2019; Huang 2024, eq. 2)."""
    return softplus(real_logits - fake_logits)


def smoothed_cross_entropy(real_logits: Logits, smoothing: Tensor) -> Logits:
    """Add e r, since (1 - e) s(-r) + e s(r) = s(-r) + e r (Salimans 2016, section 3.4)."""
    return smoothing * real_logits


def smoothed_squares(real_logits: Logits, smoothing: Tensor) -> Logits:
    """Add e (r - 1) + e^2 / 2, since (r - (1 - e))^2 / 2 is that much more than (r - 1)^2 / 2."""
    return smoothing * (real_logits - 1) + smoothing.square() / 2


def raised_cross_entropy(fake_logits: Logits, target: Tensor) -> Logits:
    """Take e f away, since (1 - e) s(f) + e s(-f) = s(f) - e f."""
    return -target * fake_logits


def raised_squares(fake_logits: Logits, target: Tensor) -> Logits:
    """Add e^2 / 2 - e f, since (f - e)^2 / 2 is that much more than f^2 / 2."""
    return target.square() / 2 - target * fake_logits


CROSS_ENTROPY = Loss(
    minimax_d,
    minimax_g,
    sigmoid=True,
    boundary=0.0,
    smoothing=smoothed_cross_entropy,
    smoothing_fake=raised_cross_entropy,
)

LOSSES: dict[str, Loss] = {
    "minimax": CROSS_ENTROPY,
    "non-saturating": replace(CROSS_ENTROPY, generator=non_saturating_g),
    "least-squares": Loss(
        least_squares_d,
        least_squares_g,
        boundary=0.5,
        smoothing=smoothed_squares,
        smoothing_fake=raised_squares,
    ),
    "hinge": Loss(hinge_d, critic_g, boundary=0.0),
    "wasserstein": Loss(wasserstein_d, critic_g),
    "relativistic": Loss(relativistic_d, relativistic_g, paired=True),
}


def accuracy(loss: Loss, real_logits: MemberLogits, fake_logits: MemberLogits) -> Float[Tensor, " members"]:
    """Share of the batch that the discriminator tells right: each logit's side, or each pair's order."""
    if loss.boundary is None:
        return (real_logits > fake_logits).to(real_logits.dtype).mean(1)
    right = torch.cat([real_logits > loss.boundary, fake_logits < loss.boundary], 1)
    return right.to(real_logits.dtype).mean(1)


class MemberLosses:
    """Each member of a cohort under its own loss: the table's functions on the rows that use them."""

    def __init__(self, names: Sequence[str], device: torch.device) -> None:
        """Sort the members by loss."""
        by_loss = {name: [k for k, own in enumerate(names) if own == name] for name in dict.fromkeys(names)}
        grouped = [k for rows in by_loss.values() for k in rows]
        self.sigmoid = [LOSSES[name].sigmoid for name in names]
        self.paired = any(LOSSES[name].paired for name in names)
        self._rows = {name: torch.tensor(rows, device=device) for name, rows in by_loss.items()}
        self._order = torch.tensor([grouped.index(k) for k in range(len(names))], device=device)

    def discriminators(
        self, real_logits: MemberLogits, fake_logits: MemberLogits, targets: Targets = PLAIN
    ) -> MemberLogits:
        """What the discriminators minimise, per example, told these targets."""
        real_logits, fake_logits = targets.traded(real_logits, fake_logits)
        below, above = (None if e is None else lane_aligned(e) for e in (targets.below, targets.above))

        def side(name: str, real: Tensor, fake: Tensor) -> Tensor:
            loss, rows = LOSSES[name], self._rows[name]
            values = loss.discriminator(real, fake)
            if below is not None and loss.smoothing is not None:
                values = values + loss.smoothing(real, below[rows])
            if above is not None and loss.smoothing_fake is not None:
                values = values + loss.smoothing_fake(fake, above[rows])
            return values

        return self._apply(side, real_logits, fake_logits)

    def generators(self, real_logits: MemberLogits, fake_logits: MemberLogits) -> MemberLogits:
        """What the generators minimise, per example."""
        return self._apply(
            lambda name, real, fake: LOSSES[name].generator(real, fake), real_logits, fake_logits
        )

    def accuracies(self, real_logits: MemberLogits, fake_logits: MemberLogits) -> Float[Tensor, " members"]:
        """Each discriminator's accuracy on the batch."""
        values = [
            accuracy(LOSSES[name], real_logits[rows], fake_logits[rows]) for name, rows in self._rows.items()
        ]
        return torch.cat(values)[self._order]

    def _apply(
        self, side: Callable[[str, Tensor, Tensor], Tensor], real_logits: Tensor, fake_logits: Tensor
    ) -> Tensor:
        real, fake = lane_aligned(real_logits), lane_aligned(fake_logits)
        values = [side(name, real[rows], fake[rows]) for name, rows in self._rows.items()]
        return torch.cat(values)[self._order, : fake_logits.shape[1]]
