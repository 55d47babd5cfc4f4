"""The losses, as per-example values of the real and fake logits; their batch means are what is minimised.

Formulas in real logit r and fake logit f, softplus s. Every function takes and returns `[..., batch]`.

f-GANs (Nowozin 2016): with the divergence's output activation g and conjugate f*, the discriminator minimises
-g(r) + f*(g(f)), the generator -f*(g(f)) (table 2).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import relu, softplus

from stability.errors import StabilityError
from stability.vocabulary.losses import LOSSES as KNOWN
from stability.vocabulary.losses import KnownLoss, LossTraits, traits_of
from stability.vocabulary.own_code import errors_of_own_code

Logits = Float[Tensor, "*members batch"]
LossFunction = Callable[..., Tensor]


@dataclass(frozen=True, slots=True)
class Loss(LossTraits):
    """What discriminator and generator minimise, both as functions of (real_logits, fake_logits).

    Where the loss has an order, that is their third argument, `[..., 1]`.
    """

    discriminator: LossFunction
    generator: LossFunction
    smoothing: LossFunction | None = None
    """What a target of 1 - e for real examples adds to the discriminator's loss, of (real_logits, e)."""
    smoothing_fake: LossFunction | None = None
    """What a target of e for fake examples adds, of (fake_logits, e)."""


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


def of_order(surprise: Logits, order: Tensor | float) -> Logits:
    """(1 - e^(-c s)) / c of s = -log p and c = 1 - 1 / alpha, that is (1 - p^c) / c; s where c = 0."""
    c = torch.as_tensor(order, dtype=surprise.dtype, device=surprise.device)
    plain = c == 0
    return torch.where(plain, surprise, -torch.expm1(-c * surprise) / c.masked_fill(plain, 1))


def alpha_d(real_logits: Logits, fake_logits: Logits, order: Tensor | float = 0.0) -> Logits:
    """The alpha-loss of "real" and "fake" (Sypherd 2022; Kurri 2021); with alpha = 1 minimax'."""
    return of_order(softplus(-real_logits), order) + of_order(softplus(fake_logits), order)


def alpha_g(real_logits: Logits, fake_logits: Logits, order: Tensor | float = 0.0) -> Logits:
    """The alpha-loss of calling fakes real (Welfert 2023, arXiv 2310.18291, the non-saturating game)."""
    return of_order(softplus(-fake_logits), order)


def alpha_minimax_g(real_logits: Logits, fake_logits: Logits, order: Tensor | float = 0.0) -> Logits:
    """Less the alpha-loss of calling fakes fake (Welfert 2023, arXiv 2302.14320)."""
    return -of_order(softplus(fake_logits), order)


def kl_d(real_logits: Logits, fake_logits: Logits) -> Logits:
    """-r + e^(f - 1): minus a bound on KL(data, model), tight at r = 1 + log of the densities' ratio."""
    return (fake_logits - 1).exp() - real_logits


def kl_g(real_logits: Logits, fake_logits: Logits) -> Logits:
    """-e^(f - 1)."""
    return -(fake_logits - 1).exp()


def reverse_kl_d(real_logits: Logits, fake_logits: Logits) -> Logits:
    """e^(-r) - 1 + f: of KL(model, data), tight at the log of the densities' ratio."""
    return (-real_logits).exp() - 1 + fake_logits


def reverse_kl_g(real_logits: Logits, fake_logits: Logits) -> Logits:
    """1 - f."""
    return 1 - fake_logits


def pearson_d(real_logits: Logits, fake_logits: Logits) -> Logits:
    """-r + f^2 / 4 + f: of Pearson's chi^2, tight at twice the densities' ratio less 1."""
    return fake_logits.square() / 4 + fake_logits - real_logits


def pearson_g(real_logits: Logits, fake_logits: Logits) -> Logits:
    """-f^2 / 4 - f."""
    return -fake_logits.square() / 4 - fake_logits


def hellinger_d(real_logits: Logits, fake_logits: Logits) -> Logits:
    """e^(-r) + e^f - 2: of the squared Hellinger distance, tight at half the log of the densities' ratio."""
    return (-real_logits).exp() + fake_logits.exp() - 2


def hellinger_g(real_logits: Logits, fake_logits: Logits) -> Logits:
    """1 - e^f."""
    return 1 - fake_logits.exp()


def jensen_shannon_d(real_logits: Logits, fake_logits: Logits) -> Logits:
    """s(-r) + s(f) - 2 log 2: minimax' but for the constant."""
    return softplus(-real_logits) + softplus(fake_logits) - 2 * math.log(2)


def jensen_shannon_g(real_logits: Logits, fake_logits: Logits) -> Logits:
    """Log 2 - s(f)."""
    return math.log(2) - softplus(fake_logits)


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


SIDES: dict[str, tuple[LossFunction, LossFunction]] = {
    "minimax": (minimax_d, minimax_g),
    "non-saturating": (minimax_d, non_saturating_g),
    "least-squares": (least_squares_d, least_squares_g),
    "hinge": (hinge_d, critic_g),
    "wasserstein": (wasserstein_d, critic_g),
    "relativistic": (relativistic_d, relativistic_g),
    "alpha": (alpha_d, alpha_g),
    "alpha-minimax": (alpha_d, alpha_minimax_g),
    "f-kl": (kl_d, kl_g),
    "f-reverse-kl": (reverse_kl_d, reverse_kl_g),
    "f-pearson": (pearson_d, pearson_g),
    "f-hellinger": (hellinger_d, hellinger_g),
    "f-jensen-shannon": (jensen_shannon_d, jensen_shannon_g),
}
"""What the discriminator and the generator minimise."""
SMOOTHINGS: dict[str | None, tuple[LossFunction, LossFunction] | tuple[None, None]] = {
    "cross-entropy": (smoothed_cross_entropy, raised_cross_entropy),
    "squares": (smoothed_squares, raised_squares),
    None: (None, None),
}
"""By kind of target: what other targets add, of real examples and of fake ones."""


def _with_formulas(known: KnownLoss, sides: tuple[LossFunction, LossFunction]) -> Loss:
    traits = {trait.name: getattr(known, trait.name) for trait in fields(LossTraits)}
    return Loss(*sides, *SMOOTHINGS[known.targets], **traits)


LOSSES: dict[str, Loss] = {name: _with_formulas(known, SIDES[name]) for name, known in KNOWN.items()}


def find_loss(name: str) -> Loss:
    """The loss of this name: the package's own, or `package.module:loss`, which imports the module.

    Raises StabilityError in one line, where there is no such loss or importing the module fails.
    """
    loss = LOSSES.get(name) or traits_of(name)
    if not isinstance(loss, Loss):
        raise StabilityError(f"{name}: has no formulas")
    return loss


def check_loss(name: str) -> None:
    """Try a loss that somebody brings on a few logits.

    Raises StabilityError in one line: a side fails, gives other than one value for every logit, lets one
    member's logits into another's values, gives the fake logits no gradient, or the generator's reads the
    real logits, which only a paired loss is given afresh.
    """
    loss, logits = find_loss(name), torch.linspace(-2, 2, 8).reshape(2, 4)
    for side, function in (("discriminator", loss.discriminator), ("generator", loss.generator)):
        where, order = f"{name}: {side}", (torch.zeros(2, 1),) if loss.has_order else ()
        fake = logits.flip(1).requires_grad_()
        with errors_of_own_code(where):
            values = function(logits, fake, *order)
            if not isinstance(values, Tensor) or values.shape != logits.shape:
                shape = list(values.shape) if isinstance(values, Tensor) else type(values).__name__
                raise StabilityError(
                    f"{where}: gives {shape} for logits of [2, 4]; one value for each is needed"
                )
            if not values.requires_grad:
                raise StabilityError(f"{where}: gives the fake logits no gradient")
            (gradient,) = torch.autograd.grad(values[0].sum(), fake)
            reads_real = not torch.equal(function(logits + 1, fake, *order), values)
        if gradient[1].any():
            raise StabilityError(f"{where}: mixes members, whose logits are the rows")
        if side == "generator" and reads_real and not loss.paired:
            raise StabilityError(f"{where}: reads the real logits; say paired=True")
