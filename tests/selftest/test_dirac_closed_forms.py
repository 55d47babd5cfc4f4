from __future__ import annotations

import math

import pytest
import torch

from stability.selftest import dirac_closed_forms as dirac
from stability.selftest.dirac_closed_forms import (
    Dirac,
    Point,
    alternating,
    eigenvalues,
    gradient_d,
    gradient_g,
    largest_stable_lr,
    norms_after,
    simultaneous,
    start,
)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


SLOPES = {
    "minimax": lambda f: -sigmoid(f),
    "non-saturating": lambda f: -sigmoid(-f),
    "wasserstein": lambda f: -1.0,
}
"""The generator's loss, differentiated in the fake logit."""


def by_hand(game: Dirac, steps: int, lr: float, *, alternate: bool) -> tuple[float, float]:
    """The same game in plain Python, from (1, -1)."""

    def pull(theta: float, psi: float) -> float:
        of_loss = theta if game.loss == "wasserstein" else sigmoid(psi * theta) * theta
        return of_loss + (float(game.weight) * psi if game.penalty == "r1" else 0.0)

    theta, psi = 1.0, -1.0
    for _ in range(steps):
        moved = theta - lr * SLOPES[game.loss](psi * theta) * psi
        psi -= lr * pull(moved if alternate else theta, psi)
        theta = moved
        if game.clip is not None:
            psi = max(-game.clip, min(game.clip, psi))
    return theta, psi


GAMES = (
    Dirac("minimax"),
    Dirac("non-saturating"),
    Dirac("wasserstein", clip=1.0),
    Dirac("minimax", "r1", 0.3),
)


@pytest.mark.parametrize("game", GAMES, ids=lambda game: f"{game.loss}-{game.penalty}")
@pytest.mark.parametrize("update", [simultaneous, alternating])
def test_steps_are_the_ones_by_hand(game: Dirac, update: dirac.Update) -> None:
    point = start()
    for _ in range(60):
        point = update(game, point, 0.2)
    wanted = by_hand(game, 60, 0.2, alternate=update is alternating)
    assert (float(point.theta), float(point.psi)) == pytest.approx(wanted, rel=1e-12)
    assert norms_after(game, update, start(), 0.2, [60])[60].item() == pytest.approx(math.hypot(*wanted))


def test_members_do_not_see_each_other() -> None:
    weights, rates = torch.tensor([0.0, 0.3, 0.9]).double(), torch.tensor([0.1, 0.2, 0.3]).double()
    together = norms_after(Dirac("minimax", "r1", weights), alternating, start(3), rates, [5, 40])
    for k in range(3):
        game = Dirac("minimax", "r1", float(weights[k]))
        alone = norms_after(game, alternating, start(), float(rates[k]), [5, 40])
        for step, norms in together.items():
            assert norms[k].item() == pytest.approx(alone[step].item(), rel=1e-14)


def test_the_quadrature_has_the_normal_distributions_moments() -> None:
    points, weights = dirac._quadrature(0.7)
    moments = [float((weights * points**n).sum()) for n in range(7)]
    assert moments == pytest.approx([1, 0, 0.7**2, 0, 3 * 0.7**4, 0, 15 * 0.7**6], abs=1e-13)


def test_noise_is_what_sampling_it_would_give() -> None:
    game = Dirac("non-saturating", noise=0.8)
    point = Point(torch.tensor([0.5]).double(), torch.tensor([1.5]).double())
    drawn = 0.8 * torch.randn(2_000_000, generator=torch.Generator().manual_seed(1)).double()
    by_theta, by_psi = gradient_g(game, point), gradient_d(game, point)
    fake = 0.5 + drawn
    sampled_g = (-torch.sigmoid(-1.5 * fake) * 1.5).mean()
    sampled_d = (-torch.sigmoid(-1.5 * drawn) * drawn + torch.sigmoid(1.5 * fake) * fake).mean()
    assert by_theta.item() == pytest.approx(sampled_g.item(), abs=2e-3)
    assert by_psi.item() == pytest.approx(sampled_d.item(), abs=2e-3)


def test_r1_and_r2_together_damp_twice() -> None:
    both = eigenvalues(Dirac("minimax", "r1-r2", 0.2), start(1, 0.0, 0.0))
    one = eigenvalues(Dirac("minimax", "r1", 0.4), start(1, 0.0, 0.0))
    torch.testing.assert_close(both, one)


def test_the_largest_rate_lies_between_what_shrinks_and_what_grows() -> None:
    game, weights = Dirac("minimax", "r1", 0.5), torch.tensor([0.5, 0.5]).double()
    found = largest_stable_lr(game, simultaneous, low=0.1 * weights, high=torch.tensor([3.0, 20.0]).double())
    assert found.tolist() == pytest.approx([2.0, 2.0], rel=0.01)
