"""Every loss against its formula: values, derivatives in both logits, label smoothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import torch

from stability.gan.losses import LOSSES
from stability.selftest.bench import Bench
from stability.selftest.check import Finding, Question, at_most, largest

LOGITS = (0.5, 0.25)
"""One real and one fake logit ..."""
LOSS_VALUES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "minimax": (1.30001640, -0.82593942),
        "non-saturating": (1.30001640, 0.57593942),
        "least-squares": (0.15625, 0.28125),
        "hinge": (1.75, -0.25),
        "wasserstein": (-0.25, -0.25),
        "relativistic": (0.57593942, 0.82593942),
        "alpha": (1.30001640, 0.57593942),
        "alpha-minimax": (1.30001640, -0.82593942),
        "f-kl": (-0.02763345, -0.47236655),
        "f-reverse-kl": (-0.14346934, 0.75),
        "f-pearson": (-0.234375, -0.265625),
        "f-hellinger": (-0.10944392, -0.28402542),
        "f-jensen-shannon": (-0.08627796, -0.13279224),
    }
)
"""... and what discriminator and generator minimise there."""
POINTS = ((0.5, 0.25), (-1.5, 2.0), (3.0, -0.75), (-2.25, -1.25), (1.25, -4.0), (0.0, 0.0))
"""Real and fake logits on both sides of every kink, and none on one."""
TOLERANCE = 2e-6
"""Of float32 numbers up to 10, whose last digit is worth 1e-6 ..."""
ORDER_TOLERANCE = 2e-5
"""... and up to 100."""

Slopes = Callable[[float, float], tuple[float, float, float]]
"""(real logit, fake logit) -> value, its derivative in the real logit, and in the fake one."""


def softplus(x: float) -> float:
    """log(1 + e^x)."""
    return math.log1p(math.exp(x))


def sigmoid(x: float) -> float:
    """1 / (1 + e^-x), the derivative of softplus."""
    return 1 / (1 + math.exp(-x))


def _critic(r: float, f: float) -> tuple[float, float, float]:
    return -f, 0.0, -1.0


def _cross_entropy(r: float, f: float) -> tuple[float, float, float]:
    return softplus(-r) + softplus(f), -sigmoid(-r), sigmoid(f)


FORMULAS: Mapping[str, tuple[Slopes, Slopes]] = MappingProxyType(
    {
        "minimax": (_cross_entropy, lambda r, f: (-softplus(f), 0.0, -sigmoid(f))),
        "non-saturating": (_cross_entropy, lambda r, f: (softplus(-f), 0.0, -sigmoid(-f))),
        "least-squares": (
            lambda r, f: (((r - 1) ** 2 + f**2) / 2, r - 1, f),
            lambda r, f: ((f - 1) ** 2 / 2, 0.0, f - 1),
        ),
        "hinge": (
            lambda r, f: (max(0.0, 1 - r) + max(0.0, 1 + f), -float(r < 1), float(f > -1)),
            _critic,
        ),
        "wasserstein": (lambda r, f: (f - r, -1.0, 1.0), _critic),
        "relativistic": (
            lambda r, f: (softplus(f - r), -sigmoid(f - r), sigmoid(f - r)),
            lambda r, f: (softplus(r - f), sigmoid(r - f), -sigmoid(r - f)),
        ),
        "alpha": (_cross_entropy, lambda r, f: (softplus(-f), 0.0, -sigmoid(-f))),
        "alpha-minimax": (_cross_entropy, lambda r, f: (-softplus(f), 0.0, -sigmoid(f))),
        "f-kl": (
            lambda r, f: (math.exp(f - 1) - r, -1.0, math.exp(f - 1)),
            lambda r, f: (-math.exp(f - 1), 0.0, -math.exp(f - 1)),
        ),
        "f-reverse-kl": (
            lambda r, f: (math.exp(-r) - 1 + f, -math.exp(-r), 1.0),
            lambda r, f: (1 - f, 0.0, -1.0),
        ),
        "f-pearson": (
            lambda r, f: (f**2 / 4 + f - r, -1.0, f / 2 + 1),
            lambda r, f: (-(f**2) / 4 - f, 0.0, -f / 2 - 1),
        ),
        "f-hellinger": (
            lambda r, f: (math.exp(-r) + math.exp(f) - 2, -math.exp(-r), math.exp(f)),
            lambda r, f: (1 - math.exp(f), 0.0, -math.exp(f)),
        ),
        "f-jensen-shannon": (
            lambda r, f: (softplus(-r) + softplus(f) - math.log(4), -sigmoid(-r), sigmoid(f)),
            lambda r, f: (math.log(2) - softplus(f), 0.0, -sigmoid(f)),
        ),
    }
)
"""What discriminator and generator minimise, differentiated by hand."""
SIDES = ("discriminator", "generator")

SMOOTHED: Mapping[str, Callable[[float, float], float]] = MappingProxyType(
    {
        "minimax": lambda r, e: (1 - e) * softplus(-r) + e * softplus(r) - softplus(-r),
        "non-saturating": lambda r, e: (1 - e) * softplus(-r) + e * softplus(r) - softplus(-r),
        "least-squares": lambda r, e: ((r - (1 - e)) ** 2 - (r - 1) ** 2) / 2,
    }
)
"""The difference that a target of 1 - e for real images makes, for the losses that have one."""
RAISED: Mapping[str, Callable[[float, float], float]] = MappingProxyType(
    {
        "minimax": lambda f, e: (1 - e) * softplus(f) + e * softplus(-f) - softplus(f),
        "non-saturating": lambda f, e: (1 - e) * softplus(f) + e * softplus(-f) - softplus(f),
        "least-squares": lambda f, e: ((f - e) ** 2 - f**2) / 2,
    }
)
"""The difference that a target of e for fake images makes."""


def known_values(bench: Bench) -> Finding:
    """Every loss of one real and one fake logit, against values computed beforehand."""
    real, fake = (torch.tensor([logit], device=bench.device) for logit in LOGITS)
    differences = [
        abs(float(getattr(LOSSES[name], side)(real, fake)) - value)
        for name, values in LOSS_VALUES.items()
        for side, value in zip(SIDES, values, strict=True)
    ]
    return at_most(largest(differences), 1e-6)


def slopes(name: str, side: int, bench: Bench) -> Finding:
    """Value and derivatives of one side of a loss at several points, against the formulas by hand."""
    points = torch.tensor(POINTS, device=bench.device).T
    real, fake = points[0].clone().requires_grad_(), points[1].clone().requires_grad_()
    value = getattr(LOSSES[name], SIDES[side])(real, fake)
    by_logit = torch.autograd.grad(value.sum(), (real, fake), materialize_grads=True)
    found = torch.stack([value.detach(), *by_logit]).tolist()
    wanted = zip(*(FORMULAS[name][side](r, f) for r, f in POINTS), strict=True)
    differences = [
        abs(a - b)
        for row, by_hand in zip(found, wanted, strict=True)
        for a, b in zip(row, by_hand, strict=True)
    ]
    return at_most(largest(differences), TOLERANCE)


def orders(bench: Bench) -> Finding:
    """The alpha-losses at orders of 1/2 and 2: alpha / (alpha - 1) (1 - p^(1 - 1 / alpha))."""
    differences = []
    for alpha in (0.5, 2.0):
        for r, f in POINTS:
            by_hand = [alpha / (alpha - 1) * (1 - sigmoid(x) ** (1 - 1 / alpha)) for x in (r, -f, f)]
            real, fake = (torch.tensor([logit], device=bench.device) for logit in (r, f))
            found = [getattr(LOSSES["alpha"], side)(real, fake, 1 - 1 / alpha) for side in SIDES]
            differences += [float(found[0]) - by_hand[0] - by_hand[1], float(found[1]) - by_hand[2]]
    return at_most(largest([abs(difference) for difference in differences]), ORDER_TOLERANCE)


def smoothing(name: str, bench: Bench) -> Finding:
    """What label smoothing adds to a discriminator's loss; nothing where a loss has no target to smooth."""
    amount, loss = 0.1, LOSSES[name]
    sides = ((loss.smoothing, SMOOTHED), (loss.smoothing_fake, RAISED))
    differences = []
    for (added, table), logits in zip(sides, zip(*POINTS, strict=True), strict=True):
        if (added is None) != (name not in table):
            return Finding("some" if name in table else "none", "none" if added is None else "some", False)
        if added is not None:
            ours = added(torch.tensor(logits, device=bench.device), torch.tensor(amount, device=bench.device))
            by_hand = [table[name](logit, amount) for logit in logits]
            differences += [abs(a - b) for a, b in zip(ours.tolist(), by_hand, strict=True)]
    return at_most(largest(differences), TOLERANCE) if differences else Finding("none", "none", True)


QUESTIONS = (
    Question("losses = their formulas", known_values),
    *(
        Question(f"{name}: the {SIDES[side]}'s loss and derivatives", partial(slopes, name, side))
        for name in FORMULAS
        for side in range(len(SIDES))
    ),
    Question("alpha: orders of 1/2 and 2", orders),
    *(Question(f"{name}: label smoothing", partial(smoothing, name)) for name in FORMULAS),
)
