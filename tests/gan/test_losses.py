from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from stability.gan.losses import LOSSES, alpha_d

LN2 = math.log(2)
HALF = 1 / (1 + math.exp(-0.5))  # sigmoid(.5)

# loss, real logit, fake logit, what D minimises, what G minimises
VALUES = [
    ("minimax", 0.0, 0.0, 2 * LN2, -LN2),
    ("minimax", math.log(3), -math.log(3), 2 * math.log(4 / 3), math.log(3 / 4)),
    ("minimax", 0.5, -0.5, -2 * math.log(HALF), math.log(HALF)),
    ("non-saturating", 0.0, 0.0, 2 * LN2, LN2),
    ("non-saturating", math.log(3), -math.log(3), 2 * math.log(4 / 3), math.log(4)),
    ("non-saturating", 0.5, 0.5, 0.5 - 2 * math.log(HALF), -math.log(HALF)),
    ("least-squares", 0.0, 0.0, 0.5, 0.5),
    ("least-squares", 1.0, 0.0, 0.0, 0.5),
    ("least-squares", 3.0, -2.0, 4.0, 4.5),
    ("hinge", 0.0, 0.0, 2.0, 0.0),
    ("hinge", 1.0, -1.0, 0.0, 1.0),
    ("hinge", -2.0, 3.0, 7.0, -3.0),
    ("hinge", 5.0, -4.0, 0.0, 4.0),
    ("wasserstein", 0.0, 0.0, 0.0, 0.0),
    ("wasserstein", 3.0, -2.0, -5.0, 2.0),
    ("f-kl", 2.0, 1.0, -1.0, -1.0),
    ("f-reverse-kl", 0.0, 2.0, 2.0, -1.0),
    ("f-pearson", 2.0, 4.0, 6.0, -8.0),
    ("f-hellinger", math.log(2), math.log(3), 1.5, -2.0),
    ("f-jensen-shannon", 0.0, 0.0, 0.0, 0.0),
    ("f-jensen-shannon", math.log(3), -math.log(3), 2 * math.log(2 / 3), math.log(3 / 2)),
    ("alpha", 0.5, 0.5, 0.5 - 2 * math.log(HALF), -math.log(HALF)),
    ("alpha-minimax", 0.5, -0.5, -2 * math.log(HALF), math.log(HALF)),
]
EXPONENTIAL = {"f-kl", "f-reverse-kl", "f-hellinger"}
"""Of logits of 10,000 these are infinite, as they should be."""


def numbers(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def generator_slope(name: str, fake_logit: float) -> float:
    fake = numbers(fake_logit)
    (slope,) = torch.autograd.grad(LOSSES[name].generator(numbers(0.0), fake).sum(), fake)
    return slope.item()


def discriminator_slopes(name: str, real_logit: float, fake_logit: float) -> tuple[float, float]:
    real, fake = numbers(real_logit), numbers(fake_logit)
    slopes = torch.autograd.grad(LOSSES[name].discriminator(real, fake).sum(), [real, fake])
    return slopes[0].item(), slopes[1].item()


@pytest.mark.parametrize(("name", "real", "fake", "loss_d", "loss_g"), VALUES)
def test_values_at_chosen_logits(name, real, fake, loss_d, loss_g) -> None:
    loss = LOSSES[name]
    r, f = numbers(9.0, real).expand(3, 2), numbers(-7.0, fake).expand(3, 2)  # each example by itself
    assert loss.discriminator(r, f)[:, 1].tolist() == pytest.approx([loss_d] * 3, abs=1e-12)
    assert loss.generator(r, f)[:, 1].tolist() == pytest.approx([loss_g] * 3, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "at_minus_30", "at_0", "at_30"),
    [
        ("minimax", 0.0, -0.5, -1.0),
        ("non-saturating", -1.0, -0.5, 0.0),
        ("least-squares", -31.0, -1.0, 29.0),
        ("hinge", -1.0, -1.0, -1.0),
        ("wasserstein", -1.0, -1.0, -1.0),
    ],
)
def test_the_generators_signal_where_the_discriminator_is_sure(name, at_minus_30, at_0, at_30) -> None:
    assert generator_slope(name, -30) == pytest.approx(at_minus_30, abs=1e-12)
    assert generator_slope(name, 0) == pytest.approx(at_0, abs=1e-12)
    assert generator_slope(name, 30) == pytest.approx(at_30, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "slopes"),
    [
        ("minimax", (-0.5, 0.5)),
        ("non-saturating", (-0.5, 0.5)),
        ("least-squares", (-1.0, 0.0)),
        ("hinge", (-1.0, 1.0)),
        ("wasserstein", (-1.0, 1.0)),
    ],
)
def test_the_discriminators_slopes_at_zero(name, slopes) -> None:
    assert discriminator_slopes(name, 0.0, 0.0) == slopes


@pytest.mark.parametrize("name", sorted(set(LOSSES) - EXPONENTIAL))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_with_finite_gradients_at_extreme_logits(name, dtype) -> None:
    real = torch.tensor([1e4, 1e4, -1e4, -1e4], dtype=dtype, requires_grad=True)
    fake = torch.tensor([1e4, -1e4, 1e4, -1e4], dtype=dtype, requires_grad=True)
    for side in (LOSSES[name].discriminator, LOSSES[name].generator):
        values = side(real, fake)
        gradients = torch.autograd.grad(values.sum(), [real, fake], allow_unused=True)
        assert values.isfinite().all()
        assert gradients[1] is not None
        assert all(gradient.isfinite().all() for gradient in gradients if gradient is not None)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_not_hidden_and_stays_in_its_example(name, broken) -> None:
    loss_d = LOSSES[name].discriminator(numbers(broken, 0.0), numbers(broken, 0.0))
    assert not loss_d[0].isfinite()
    assert loss_d[1].isfinite()


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"least-squares", "f-pearson"}))
def test_raising_a_real_logit_helps_d_and_raising_a_fake_one_helps_g(name) -> None:
    loss, ladder, fixed = LOSSES[name], numbers(*range(-8, 9)), numbers(*[0.0] * 17)
    assert (loss.discriminator(ladder, fixed).diff() <= 0).all()
    assert (loss.discriminator(fixed, ladder).diff() >= 0).all()
    assert (loss.discriminator(ladder, fixed)[:9].diff() < 0).all()
    assert (loss.generator(fixed, ladder).diff() < 0).all()


def test_least_squares_pulls_to_its_targets_from_both_sides() -> None:
    ladder, fixed = numbers(*range(-8, 9)), numbers(*[0.0] * 17)
    loss = LOSSES["least-squares"]
    assert ladder[loss.discriminator(ladder, fixed).argmin()] == 1
    assert ladder[loss.discriminator(fixed, ladder).argmin()] == 0
    assert ladder[loss.generator(fixed, ladder).argmin()] == 1


REAL_SHARES = torch.tensor([0.7, 0.3], dtype=torch.float64)
FAKE_SHARES = torch.tensor([0.2, 0.8], dtype=torch.float64)
RATIO = REAL_SHARES / FAKE_SHARES


def expected_loss_d(name: str, logits: Tensor) -> Tensor:
    """D's loss where reals and fakes take two values with known probabilities, and D has a logit for each."""
    values = LOSSES[name].discriminator(logits.repeat_interleave(2), logits.repeat(2))
    return (torch.outer(REAL_SHARES, FAKE_SHARES).flatten() * values).sum()


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    middle = (p + q) / 2
    return ((p * (p / middle).log()).sum() + (q * (q / middle).log()).sum()) / 2


@pytest.mark.parametrize(
    ("name", "optimum", "value"),
    [
        (
            "minimax",
            (REAL_SHARES / FAKE_SHARES).log(),
            2 * LN2 - 2 * jensen_shannon(REAL_SHARES, FAKE_SHARES),
        ),
        (
            "least-squares",
            REAL_SHARES / (REAL_SHARES + FAKE_SHARES),
            (REAL_SHARES * FAKE_SHARES / (REAL_SHARES + FAKE_SHARES)).sum() / 2,
        ),
        ("hinge", (REAL_SHARES - FAKE_SHARES).sign(), 2 * torch.minimum(REAL_SHARES, FAKE_SHARES).sum()),
        ("f-kl", 1 + RATIO.log(), -(REAL_SHARES * RATIO.log()).sum()),
        ("f-reverse-kl", RATIO.log(), (FAKE_SHARES * RATIO.log()).sum()),
        ("f-pearson", 2 * (RATIO - 1), -((REAL_SHARES - FAKE_SHARES).square() / FAKE_SHARES).sum()),
        ("f-hellinger", RATIO.log() / 2, -(REAL_SHARES.sqrt() - FAKE_SHARES.sqrt()).square().sum()),
        ("f-jensen-shannon", RATIO.log(), -2 * jensen_shannon(REAL_SHARES, FAKE_SHARES)),
    ],
)
def test_minimised_by_the_optimal_discriminator_of_a_two_point_problem(name, optimum, value) -> None:
    best = expected_loss_d(name, optimum)
    torch.testing.assert_close(best, torch.as_tensor(value))
    for offset in torch.tensor([[0.2, 0.0], [-0.2, 0.0], [0.0, 0.2], [0.0, -0.2]], dtype=torch.float64):
        assert expected_loss_d(name, optimum + offset) > best


def test_wasserstein_measures_the_difference_of_means_and_has_no_optimum() -> None:
    logits = numbers(1.0, -2.0)
    loss = expected_loss_d("wasserstein", logits)
    assert loss.item() == pytest.approx(((FAKE_SHARES - REAL_SHARES) * logits).sum().item())
    (gradient,) = torch.autograd.grad(loss, logits)
    torch.testing.assert_close(gradient, FAKE_SHARES - REAL_SHARES)


def test_probabilities_belong_to_the_cross_entropies_alone() -> None:
    cross_entropies = {"minimax", "non-saturating", "alpha", "alpha-minimax", "f-jensen-shannon"}
    assert {name for name, loss in LOSSES.items() if loss.sigmoid} == cross_entropies


@pytest.mark.parametrize(
    ("alpha", "loss"),
    [
        (1.0, lambda p: -p.log()),
        (0.5, lambda p: 1 / p - 1),
        (2.0, lambda p: 2 * (1 - p.sqrt())),
        (1e30, lambda p: 1 - p),
    ],
)
def test_the_alpha_losses_of_known_orders(alpha, loss) -> None:
    ladder, order = numbers(*range(-8, 9)), 1 - 1 / alpha
    p = torch.sigmoid(ladder)
    torch.testing.assert_close(LOSSES["alpha"].generator(ladder, ladder, order), loss(p))
    torch.testing.assert_close(LOSSES["alpha-minimax"].generator(ladder, ladder, order), -loss(1 - p))
    torch.testing.assert_close(LOSSES["alpha"].discriminator(ladder, ladder, order), loss(p) + loss(1 - p))
    (slope,) = torch.autograd.grad(LOSSES["alpha"].generator(ladder, ladder, order).sum(), ladder)
    torch.testing.assert_close(slope, -(p**order) * (1 - p))


def test_the_optimal_discriminator_under_an_alpha_loss_is_the_ratio_to_the_power_of_alpha() -> None:
    """Kurri 2021: P(real) = p^alpha / (p^alpha + q^alpha)."""
    for alpha in (0.5, 1.0, 3.0):
        logits = (alpha * RATIO.log()).requires_grad_()
        values = alpha_d(logits.repeat_interleave(2), logits.repeat(2), 1 - 1 / alpha)
        loss = (torch.outer(REAL_SHARES, FAKE_SHARES).flatten() * values).sum()
        (slope,) = torch.autograd.grad(loss, logits)
        torch.testing.assert_close(slope, torch.zeros(2, dtype=torch.float64), atol=1e-12, rtol=0)
