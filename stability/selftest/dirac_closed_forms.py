"""The Dirac-GAN, the smallest GAN there is, whose behaviour is known in closed form.

Data at 0, a generator at theta, the discriminator D(x) = psi x (Mescheder, Geiger & Nowozin 2018, section 2).
It is built on the toolkit's own losses and penalties. Members are `[K]` and float64: every one has its own
start, learning rate and penalty weight. Nothing is drawn at random: instance noise is integrated over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from stability.gan.losses import LOSSES
from stability.gan.training.penalties import PENALTIES, penalty

PerMember = Float[Tensor, " members"]
NODES = 32
"""Of the Gauss-Hermite rule: exact for polynomials up to degree 63."""


@dataclass(frozen=True, slots=True)
class Dirac:
    """One game; everything in it holds for all members, but for the penalty's weight."""

    loss: str
    """A key of `LOSSES`; a paired one cannot have instance noise."""
    penalty: str = "none"
    """A key of `PENALTIES` whose terms draw no numbers: none, r1, r2, r1-r2."""
    weight: PerMember | float = 0.0
    clip: float | None = None
    """psi is clamped to [-clip, clip] after each of the discriminator's steps."""
    noise: float = 0.0
    """Standard deviation of the normal noise on all that the discriminator sees."""


@dataclass(frozen=True, slots=True)
class Point:
    """Where every member stands."""

    theta: PerMember
    psi: PerMember

    def norm(self) -> PerMember:
        """Distance from the equilibrium, (0, 0)."""
        return torch.hypot(self.theta, self.psi)


Update = Callable[[Dirac, Point, PerMember | float], Point]


def start(members: int = 1, theta: float = 1.0, psi: float = -1.0) -> Point:
    """All members at one point."""
    return Point(*(torch.full((members,), value, dtype=torch.float64) for value in (theta, psi)))


def gradient_g(game: Dirac, point: Point, *, twice: bool = False) -> PerMember:
    """Of loss_g in theta; `twice`: differentiable in the point."""
    theta = point.theta if twice else _variable(point.theta)
    noise, shares = _quadrature(game.noise)
    real_logits, fake_logits = point.psi[:, None] * noise, point.psi[:, None] * (theta[:, None] + noise)
    loss = LOSSES[game.loss].generator(real_logits, fake_logits) @ shares
    (found,) = torch.autograd.grad(loss.sum(), theta, create_graph=twice)
    return found


def gradient_d(game: Dirac, point: Point, *, twice: bool = False) -> PerMember:
    """Of loss_d and the penalty in psi; `twice`: differentiable in the point."""
    psi = point.psi if twice else _variable(point.psi)
    noise, shares = _quadrature(game.noise)
    real = noise.expand(len(psi), -1)[..., None]
    fake = point.theta[:, None, None] + real

    def judge(x: Tensor) -> Tensor:
        return psi[:, None] * x[..., 0]

    loss = LOSSES[game.loss].discriminator(judge(real), judge(fake)) @ shares
    if terms := PENALTIES[game.penalty]:
        no_numbers = [torch.empty(0)] * len(terms)
        values = penalty(terms, judge, real, fake, no_numbers)
        loss = loss + game.weight * (values @ shares)
    (found,) = torch.autograd.grad(loss.sum(), psi, create_graph=twice)
    return found


def simultaneous(game: Dirac, point: Point, lr: PerMember | float) -> Point:
    """One step of both players from the same point."""
    return Point(_step_g(game, point, lr), _step_d(game, point, lr))


def alternating(game: Dirac, point: Point, lr: PerMember | float) -> Point:
    """The generator's step, then the discriminator's from where that led."""
    theta = _step_g(game, point, lr)
    return Point(theta, _step_d(game, Point(theta, point.psi), lr))


def _step_g(game: Dirac, point: Point, lr: PerMember | float) -> PerMember:
    return point.theta - lr * gradient_g(game, point)


def _step_d(game: Dirac, point: Point, lr: PerMember | float) -> PerMember:
    return _clipped(game, point.psi - lr * gradient_d(game, point))


def norms_after(
    game: Dirac, update: Update, point: Point, lr: PerMember | float, steps: Iterable[int]
) -> dict[int, PerMember]:
    """Train from a point; the members' distances from the equilibrium after these numbers of steps."""
    wanted = set(steps)
    norms = {}
    for step in range(1, max(wanted) + 1):
        point = update(game, point, lr)
        if step in wanted:
            norms[step] = point.norm()
    return norms


def eigenvalues(game: Dirac, point: Point) -> Complex[Tensor, "members two"]:
    """Eigenvalues of the Jacobian of the gradient field (-d loss_g / d theta, -d loss_d / d psi).

    Simultaneous descent multiplies a deviation from the equilibrium by 1 + lr times them.
    """
    place = Point(_variable(point.theta), _variable(point.psi))
    rows = [
        torch.stack(
            torch.autograd.grad(
                -gradient.sum(), (place.theta, place.psi), retain_graph=True, materialize_grads=True
            ),
            1,
        )
        for gradient in (gradient_g(game, place, twice=True), gradient_d(game, place, twice=True))
    ]
    found: Tensor = torch.linalg.eigvals(torch.stack(rows, 1))
    return found


def largest_stable_lr(
    game: Dirac, update: Update, low: PerMember, high: PerMember, *, steps: int = 3000, rounds: int = 3
) -> PerMember:
    """Each member's largest learning rate at which a small deviation shrinks, from trajectories alone.

    Halving with many cuts at a time: every round tries `CUTS` rates per member, as members of one stack, and
    goes on between the last that shrinks and the first that grows. `low` must shrink and `high` grow.
    """
    weight = torch.as_tensor(game.weight, dtype=torch.float64).expand(len(low)).repeat_interleave(CUTS)
    stack = Dirac(game.loss, game.penalty, weight, game.clip, game.noise)
    near = start(len(weight), SMALL, -SMALL)
    for _ in range(rounds):
        cuts = torch.linspace(0, 1, CUTS + 2, dtype=torch.float64)
        rates = low[:, None] + (high - low)[:, None] * cuts
        norms = norms_after(stack, update, near, rates[:, 1:-1].flatten(), [steps])[steps]
        shrinks = (norms < near.norm()).reshape(len(low), CUTS)
        last = shrinks.to(torch.int64).cumprod(1).sum(1, keepdim=True)
        low, high = rates.gather(1, last)[:, 0], rates.gather(1, last + 1)[:, 0]
    return (low + high) / 2


CUTS = 15
"""Learning rates tried at a time: a round narrows the bracket 16-fold."""
SMALL = 1e-6
"""A deviation at which the game is linear to all digits that count."""


def _variable(values: PerMember) -> PerMember:
    return values.detach().requires_grad_()


def _clipped(game: Dirac, psi: PerMember) -> PerMember:
    return psi if game.clip is None else psi.clamp(-game.clip, game.clip)


def _quadrature(noise: float) -> tuple[Float[Tensor, " nodes"], Float[Tensor, " nodes"]]:
    """Points and weights by which the mean over N(0, noise^2) is taken; one point without noise."""
    if not noise:
        return torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    points, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return torch.from_numpy(noise * points), torch.from_numpy(weights / weights.sum())
