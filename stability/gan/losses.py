"""The losses, as per-example values of the real and fake logits; their batch means are what is minimised.

Formulas in real logit r and fake logit f, softplus s. Every function takes and returns `[..., batch]`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import relu, softplus

Logits = Float[Tensor, "*members batch"]
LossFunction = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Loss:
    """What discriminator and generator minimise, both as functions of (real_logits, fake_logits)."""

    discriminator: LossFunction
    generator: LossFunction
    sigmoid: bool
    """Whether sigmoid(logit) is the discriminator's probability of "real"."""


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
    """F - r: minus the critic's estimate of the distance (Arjovsky 2017, eq. 2)."""
    return fake_logits - real_logits


def critic_g(real_logits: Logits, fake_logits: Logits) -> Logits:
    """-f, the generator's side of hinge and wasserstein."""
    return -fake_logits


LOSSES: dict[str, Loss] = {
    "minimax": Loss(minimax_d, minimax_g, sigmoid=True),
    "non-saturating": Loss(minimax_d, non_saturating_g, sigmoid=True),
    "least-squares": Loss(least_squares_d, least_squares_g, sigmoid=False),
    "hinge": Loss(hinge_d, critic_g, sigmoid=False),
    "wasserstein": Loss(wasserstein_d, critic_g, sigmoid=False),
}
