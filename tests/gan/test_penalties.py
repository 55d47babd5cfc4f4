from __future__ import annotations

from typing import get_args

import pytest
import torch
from cohorts import CPU, make_run, some_images, train
from torch import Tensor

from stability.gan.cohort import Cohort
from stability.gan.penalties import PENALTIES, gradient_penalty
from stability.spec.config import Penalty


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def uniform(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)


def linear_score(w: Tensor):
    """D(x) = w.x, a w per member."""
    return lambda x: (x * w[:, None]).flatten(2).sum(2)


def quadratic_score(a: Tensor):
    """D(x) = a |x|^2 / 2, so grad D = a x, an a per member."""
    return lambda x: a[:, None] * x.flatten(2).square().sum(2) / 2


REAL, FAKE = normal(3, 5, 1, 4, 4, seed=1), normal(3, 5, 1, 4, 4, seed=2)
MIX = uniform(3, 5)


def mixed(mix: Tensor) -> Tensor:
    return torch.stack(
        [
            torch.stack([m * r + (1 - m) * f for m, r, f in zip(*rows, strict=True)])
            for rows in zip(mix, REAL, FAKE, strict=True)
        ]
    )


def test_the_study_file_accepts_exactly_the_tables_names() -> None:
    assert set(get_args(Penalty)) == set(PENALTIES)


def test_a_linear_discriminator_pays_for_its_norm_alone() -> None:
    w = normal(3, 1, 4, 4)
    norms = w.flatten(1).norm(dim=1)
    penalty = gradient_penalty(linear_score(w), REAL, FAKE, MIX)
    assert penalty.shape == (3, 5)
    torch.testing.assert_close(penalty, (norms - 1).square()[:, None].expand(3, 5))
    unit = w / norms[:, None, None, None]
    assert gradient_penalty(linear_score(unit), REAL, FAKE, MIX).max() < 1e-28


def test_its_gradient_with_respect_to_the_weights() -> None:
    w = normal(3, 1, 4, 4).requires_grad_()
    (gradient,) = torch.autograd.grad(gradient_penalty(linear_score(w), REAL, FAKE, MIX).mean(1).sum(), w)
    norms = w.detach().flatten(1).norm(dim=1)[:, None, None, None]
    torch.testing.assert_close(gradient, 2 * (norms - 1) * w.detach() / norms)


def test_a_quadratic_discriminator_is_taken_at_the_mixes_of_real_and_fake() -> None:
    a = torch.tensor([0.5, -2.0, 3.0], dtype=torch.float64, requires_grad=True)
    lengths = mixed(MIX).flatten(2).norm(dim=2)
    norms = a.detach().abs()[:, None] * lengths
    penalty = gradient_penalty(quadratic_score(a), REAL, FAKE, MIX)
    torch.testing.assert_close(penalty.detach(), (norms - 1).square())
    (gradient,) = torch.autograd.grad(penalty.sum(), a)
    torch.testing.assert_close(gradient, (2 * (norms - 1) * a.detach().sign()[:, None] * lengths).sum(1))


@pytest.mark.parametrize(("mix", "end"), [(0.0, FAKE), (1.0, REAL)])
def test_the_mix_runs_from_fake_to_real(mix, end) -> None:
    score = quadratic_score(torch.ones(3, dtype=torch.float64))
    penalty = gradient_penalty(score, REAL, FAKE, torch.full((3, 5), mix, dtype=torch.float64))
    torch.testing.assert_close(penalty, (end.flatten(2).norm(dim=2) - 1).square())


def test_a_gradient_of_exactly_zero_costs_one_and_pulls_nowhere() -> None:
    w = torch.zeros(3, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    penalty = gradient_penalty(linear_score(w), REAL, FAKE, MIX)
    assert penalty.tolist() == torch.ones(3, 5).tolist()
    (gradient,) = torch.autograd.grad(penalty.sum(), w)
    assert gradient.abs().max() == 0


def test_nan_is_not_hidden_and_stays_in_its_member() -> None:
    w = normal(3, 1, 4, 4)
    w[1, 0, 0, 0] = torch.nan
    penalty = gradient_penalty(linear_score(w), REAL, FAKE, MIX)
    assert penalty.isnan().any(1).tolist() == [False, True, False]


def test_dropping_every_unit_is_no_divergence() -> None:
    runs = [
        make_run(seed, loss="wasserstein", penalty="gradient-penalty", batchnorm="none", dropout=0.9, lr=1e-4)
        for seed in (1, 2)
    ]
    cohort = Cohort(runs, some_images(), CPU)
    train(cohort, 10)
    assert cohort.divergences() == [None, None]
