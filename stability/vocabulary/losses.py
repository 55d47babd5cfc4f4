"""What is known of each loss but its formula, which is in `stability.gan.losses`. Works without torch."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Literal

from stability.errors import StabilityError
from stability.vocabulary.own_code import find_own


@dataclass(frozen=True, slots=True, kw_only=True)
class LossTraits:
    """What a loss, also one that somebody brings, says of itself."""

    sigmoid: bool = False
    """Whether sigmoid(logit) is the discriminator's probability of "real"."""
    boundary: float | None = None
    """A logit above it says "real"; None where only the order of a real and a fake logit has a meaning."""
    paired: bool = False
    """Whether the generator's loss reads the real logits, too."""
    has_order: bool = False
    """Whether both sides have an order of their own, c = 1 - 1 / alpha."""


@dataclass(frozen=True, slots=True)
class Equilibrium:
    """Where the losses stand when real and fake cannot be told apart and the discriminator is at its best."""

    loss_d: float
    loss_g: float | None
    """None where the discriminator's level is arbitrary, and with it the generator's loss."""
    probability: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLoss(LossTraits):
    """One of the package's own."""

    equilibrium: Equilibrium
    """Its values where both logits are equal and the discriminator's loss is lowest.

    Under hinge the level may be anything from -1 to 1, and 0 is the middle. Of the alpha-losses at their
    order of 1."""
    colour: str
    """In every report."""
    targets: Literal["cross-entropy", "squares"] | None = None
    """How far a logit is from its label, where the discriminator has labels, which can be smoothed."""


LOSSES: dict[str, KnownLoss] = {
    "minimax": KnownLoss(
        sigmoid=True,
        boundary=0.0,
        targets="cross-entropy",
        equilibrium=Equilibrium(2 * log(2), -log(2), 0.5),
        colour="#d55e00",
    ),
    "non-saturating": KnownLoss(
        sigmoid=True,
        boundary=0.0,
        targets="cross-entropy",
        equilibrium=Equilibrium(2 * log(2), log(2), 0.5),
        colour="#0079b8",
    ),
    "least-squares": KnownLoss(
        boundary=0.5, targets="squares", equilibrium=Equilibrium(0.25, 0.125), colour="#009e73"
    ),
    "hinge": KnownLoss(boundary=0.0, equilibrium=Equilibrium(2.0, 0.0), colour="#c25f9c"),
    "wasserstein": KnownLoss(equilibrium=Equilibrium(0.0, None), colour="#b07d00"),
    "relativistic": KnownLoss(paired=True, equilibrium=Equilibrium(log(2), log(2)), colour="#7b79c9"),
    "alpha": KnownLoss(
        sigmoid=True,
        boundary=0.0,
        has_order=True,
        equilibrium=Equilibrium(2 * log(2), log(2), 0.5),
        colour="#808890",
    ),
    "alpha-minimax": KnownLoss(
        sigmoid=True,
        boundary=0.0,
        has_order=True,
        equilibrium=Equilibrium(2 * log(2), -log(2), 0.5),
        colour="#b5615a",
    ),
    "f-kl": KnownLoss(boundary=1.0, equilibrium=Equilibrium(0.0, -1.0), colour="#3f97a8"),
    "f-reverse-kl": KnownLoss(boundary=0.0, equilibrium=Equilibrium(0.0, 1.0), colour="#6f8f1e"),
    "f-pearson": KnownLoss(boundary=0.0, equilibrium=Equilibrium(0.0, 0.0), colour="#a86fd6"),
    "f-hellinger": KnownLoss(boundary=0.0, equilibrium=Equilibrium(0.0, 0.0), colour="#9a7b5e"),
    "f-jensen-shannon": KnownLoss(
        sigmoid=True, boundary=0.0, equilibrium=Equilibrium(0.0, 0.0, 0.5), colour="#c9506f"
    ),
}
LOSS_NAMES = tuple(LOSSES)
LABELLED_LOSSES = tuple(name for name, loss in LOSSES.items() if loss.targets)
"""Those whose discriminator has targets, which can be smoothed, ..."""
CROSS_ENTROPIES = tuple(name for name, loss in LOSSES.items() if loss.targets == "cross-entropy")
"""... those of them that have no least value for targets beyond 0 and 1, ..."""
ALPHA_LOSSES = tuple(name for name, loss in LOSSES.items() if loss.has_order)
"""... and those that read alpha_d and alpha_g."""


def traits_of(name: str) -> LossTraits:
    """What a loss of this name says of itself; of one that somebody brings this imports the module.

    Raises StabilityError in one line, where there is no such loss or importing the module fails.
    """
    loss = LOSSES.get(name) or find_own(name)
    if not isinstance(loss, LossTraits):
        raise StabilityError(f"{name}: is a {type(loss).__name__}, not a stability.gan.losses.Loss")
    return loss
