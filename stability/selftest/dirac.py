"""The Dirac-GAN against its closed forms (Mescheder et al. 2018) and against published trajectories.

Eigenvalues and bounds are derived; norms are those of an independent program, given to the digits printed.
"""

from __future__ import annotations

import cmath
import math
from functools import partial

import torch
from torch import Tensor

from stability.selftest.bench import Bench
from stability.selftest.check import Finding, Question, at_most, largest
from stability.selftest.dirac_closed_forms import (
    Dirac,
    Update,
    alternating,
    eigenvalues,
    largest_stable_lr,
    norms_after,
    simultaneous,
    start,
)

LR = 0.2
STEPS = (500, 5000)
VANISHED = 1e-30
"""What a table prints as 0."""
UPDATES: dict[str, Update] = {"simultaneous": simultaneous, "alternating": alternating}
GAMES = {
    "GAN": Dirac("minimax"),
    "non-saturating": Dirac("non-saturating"),
    "WGAN, clip 1": Dirac("wasserstein", clip=1.0),
    "R1 .3": Dirac("minimax", penalty="r1", weight=0.3),
}
NORMS: dict[tuple[str, str], tuple[str, str]] = {
    ("GAN", "simultaneous"): ("3.10", "4.24"),
    ("GAN", "alternating"): ("1.42", "1.42"),
    ("non-saturating", "simultaneous"): (".64", ".62"),
    ("non-saturating", "alternating"): (".28", ".088"),
    ("WGAN, clip 1", "simultaneous"): ("1.0", "1.03"),
    ("WGAN, clip 1", "alternating"): ("1.02", "1.01"),
    ("R1 .3", "simultaneous"): ("2.6e-6", "0"),
    ("R1 .3", "alternating"): ("2.3e-7", "0"),
}
"""Norm of (theta, psi) after `STEPS` from (1, -1), the generator first where they alternate."""
OPPOSITE = ("3.35", "3.92")
"""The same of GAN, simultaneous, from (1, 1)."""
WEIGHTS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
NOISES = (0.5, 1.0, 1.2)
RATES = (0.01, 0.1, 0.2, 0.5, 1.0)


def agrees(found: float, printed: str) -> bool:
    """Whether a number rounds to a printed one: within half of its last digit."""
    if printed == "0":
        return abs(found) < VANISHED
    digits, _, exponent = printed.partition("e")
    last = 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))
    return abs(found - float(printed)) <= last / 2


def _compare(found: list[float], printed: tuple[str, ...]) -> Finding:
    passed = all(agrees(value, text) for value, text in zip(found, printed, strict=True))
    return Finding(" / ".join(printed), " / ".join(f"{value:.3g}" for value in found), passed)


def norms(game: str, update: str, bench: Bench) -> Finding:
    """The norm after 500 and 5000 steps from (1, -1)."""
    found = norms_after(GAMES[game], UPDATES[update], start(), LR, STEPS)
    return _compare([float(found[step]) for step in STEPS], NORMS[game, update])


def opposite_start(bench: Bench) -> Finding:
    """The same for GAN from (1, 1)."""
    found = norms_after(GAMES["GAN"], simultaneous, start(theta=1.0, psi=1.0), LR, STEPS)
    return _compare([float(found[step]) for step in STEPS], OPPOSITE)


def pair(half_trace: float, determinant: float) -> tuple[complex, complex]:
    """Eigenvalues of a 2 x 2 matrix: half_trace +- sqrt(half_trace^2 - determinant)."""
    root = cmath.sqrt(half_trace**2 - determinant)
    return half_trace + root, half_trace - root


def _distance(found: Tensor, wanted: tuple[complex, complex]) -> float:
    """Between two pairs of eigenvalues, in the order in which they are closer."""
    first, second = (complex(value) for value in found)
    orders = ((first, second), (second, first))
    return min(largest([abs(a - wanted[0]), abs(b - wanted[1])]) for a, b in orders)


def plain_eigenvalues(loss: str, bench: Bench) -> Finding:
    """+-0.5i: rotation without any pull."""
    found = eigenvalues(Dirac(loss), start(1, 0.0, 0.0))[0]
    return at_most(_distance(found, pair(0.0, 0.25)), 1e-12)


def penalised_eigenvalues(penalty: str, bench: Bench) -> Finding:
    """-g/2 +- sqrt(g^2/4 - 1/4) for every g, 1 and its double eigenvalue left out."""
    weights = (*WEIGHTS[:-1], 2.0)
    game = Dirac("minimax", penalty, torch.tensor(weights, dtype=torch.float64))
    found = eigenvalues(game, start(len(weights), 0.0, 0.0))
    distances = [_distance(row, pair(-g / 2, 0.25)) for row, g in zip(found, weights, strict=True)]
    return at_most(largest(distances), 1e-12)


def noisy_eigenvalues(bench: Bench) -> Finding:
    """-s^2/4 +- sqrt(s^4/16 - 1/4), by quadrature."""
    at_rest = start(1, 0.0, 0.0)
    found = [eigenvalues(Dirac("non-saturating", noise=s), at_rest)[0] for s in NOISES]
    distances = [_distance(row, pair(-(s**2) / 4, 0.25)) for row, s in zip(found, NOISES, strict=True)]
    return at_most(largest(distances), 1e-12)


def growth(bench: Bench) -> Finding:
    """A small deviation grows by sqrt(1 + h^2/4) a step, whatever h: relative difference after 50 steps."""
    steps, near = 50, start(len(RATES), 1e-9, -1e-9)
    rates = torch.tensor(RATES, dtype=torch.float64)
    found = (norms_after(Dirac("minimax"), simultaneous, near, rates, [steps])[steps] / near.norm()).tolist()
    wanted = [math.sqrt(1 + h**2 / 4) ** steps for h in RATES]
    return at_most(largest([abs(a / b - 1) for a, b in zip(found, wanted, strict=True)]), 1e-6)


def stable_rates(bench: Bench) -> Finding:
    """R1's largest stable learning rate over 4g, found by halving, for every g."""
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    game = Dirac("minimax", "r1", weights)
    shares = largest_stable_lr(game, simultaneous, low=2 * weights, high=7 * weights) / (4 * weights)
    text = f"{float(shares.min()):.4f} to {float(shares.max()):.4f}"
    return Finding(".98 to 1.02", text, bool(((shares - 1).abs() <= 0.02).all()))


QUESTIONS = (
    *(
        Question(f"Dirac {game}, {update}: norm after 500 / 5000", partial(norms, game, update))
        for game, update in NORMS
    ),
    Question("Dirac GAN from (1, 1), simultaneous: norm after 500 / 5000", opposite_start),
    Question("Dirac GAN: eigenvalues", partial(plain_eigenvalues, "minimax")),
    Question("Dirac non-saturating: eigenvalues", partial(plain_eigenvalues, "non-saturating")),
    Question("Dirac relativistic: eigenvalues", partial(plain_eigenvalues, "relativistic")),
    Question("Dirac R1: eigenvalues", partial(penalised_eigenvalues, "r1")),
    Question("Dirac R2: eigenvalues", partial(penalised_eigenvalues, "r2")),
    Question("Dirac instance noise: eigenvalues", noisy_eigenvalues),
    Question("Dirac GAN, simultaneous: growth per step", growth),
    Question("Dirac R1, simultaneous: largest stable rate / 4g", stable_rates),
)
