from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from cohorts import CPU, make_run, some_images, train
from torch import Tensor

from stability.gan.training.cohort import Cohort
from stability.gan.training.penalties import PENALTIES, penalty
from stability.spec.config import PENALTY_NAMES

KINDS = [name for name in PENALTIES if name != "none"]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def uniform(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)


def linear_score(w: Tensor) -> Callable[[Tensor], Tensor]:
    """D(x) = w.x, a w per member."""
    return lambda x: (x * w[:, None]).flatten(2).sum(2)


def quadratic_score(a: Tensor) -> Callable[[Tensor], Tensor]:
    """D(x) = a |x|^2 / 2, so grad D = a x, an a per member."""
    return lambda x: a[:, None] * x.flatten(2).square().sum(2) / 2


REAL, FAKE = normal(3, 5, 1, 4, 4, seed=1), normal(3, 5, 1, 4, 4, seed=2)
MIX, EVERY_PIXEL = uniform(3, 5), uniform(3, 5, 1, 4, 4)


def numbers(kind: str, mix: Tensor = MIX) -> list[Tensor]:
    """The uniform numbers that each term of a penalty asks for."""
    shapes = [term.uniform_shape(REAL.shape[1:]) for term in PENALTIES[kind]]
    return [{(): torch.empty(0), (5,): mix, (5, 1, 4, 4): EVERY_PIXEL}[shape] for shape in shapes]


def cost(kind: str, score: Callable[[Tensor], Tensor], mix: Tensor = MIX) -> Tensor:
    return penalty(PENALTIES[kind], score, REAL, FAKE, numbers(kind, mix))


def mixed(mix: Tensor = MIX) -> Tensor:
    return torch.stack(
        [
            torch.stack([m * r + (1 - m) * f for m, r, f in zip(*rows, strict=True)])
            for rows in zip(mix, REAL, FAKE, strict=True)
        ]
    )


def near_real() -> Tensor:
    """Each member by itself: x + .5 std(x) u."""
    return torch.stack([x + 0.5 * x.std() * u for x, u in zip(REAL, EVERY_PIXEL, strict=True)])


def lengths(images: Tensor) -> Tensor:
    return images.flatten(2).norm(dim=2)


PLACES = {
    "gradient-penalty": [mixed()],
    "zero-centred-gradient-penalty": [mixed()],
    "r1": [REAL],
    "r2": [FAKE],
    "r1-r2": [REAL, FAKE],
    "dragan": [near_real()],
}
"""Where each penalty looks ..."""
COSTS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    **dict.fromkeys(["gradient-penalty", "dragan"], (lambda n: (n - 1) ** 2, lambda n: 2 * (n - 1))),
    "zero-centred-gradient-penalty": (lambda n: n**2, lambda n: 2 * n),
    **dict.fromkeys(["r1", "r2", "r1-r2"], (lambda n: n**2 / 2, lambda n: n)),
}
"""... and what a gradient of norm n costs there, with its derivative."""


def test_the_study_file_accepts_exactly_the_tables_names() -> None:
    assert set(PENALTY_NAMES) == set(PENALTIES)
    assert set(PLACES) == set(COSTS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_linear_discriminator_pays_for_its_norm_alone(kind) -> None:
    w = normal(3, 1, 4, 4).requires_grad_()
    norms = w.detach().flatten(1).norm(dim=1)
    price, slope = COSTS[kind]
    terms = len(PLACES[kind])
    found = cost(kind, linear_score(w))
    assert found.shape == (3, 5)
    torch.testing.assert_close(found.detach(), terms * price(norms)[:, None].expand(3, 5))
    (gradient,) = torch.autograd.grad(found.mean(1).sum(), w)
    factor = (terms * slope(norms) / norms)[:, None, None, None]
    torch.testing.assert_close(gradient, factor * w.detach())


@pytest.mark.parametrize("kind", KINDS)
def test_a_quadratic_discriminator_is_taken_at_the_penaltys_places(kind) -> None:
    a = torch.tensor([0.5, -2.0, 3.0], dtype=torch.float64, requires_grad=True)
    price, slope = COSTS[kind]
    radii = [lengths(place) for place in PLACES[kind]]
    norms = [a.detach().abs()[:, None] * radius for radius in radii]
    found = cost(kind, quadratic_score(a))
    torch.testing.assert_close(found.detach(), sum(price(norm) for norm in norms))
    (gradient,) = torch.autograd.grad(found.sum(), a)
    each = [slope(norm) * radius for norm, radius in zip(norms, radii, strict=True)]
    torch.testing.assert_close(gradient, a.detach().sign() * sum(each).sum(1))


@pytest.mark.parametrize("kind", ["gradient-penalty", "zero-centred-gradient-penalty"])
@pytest.mark.parametrize(("mix", "end"), [(0.0, FAKE), (1.0, REAL)])
def test_the_mix_runs_from_fake_to_real(kind, mix, end) -> None:
    score = quadratic_score(torch.ones(3, dtype=torch.float64))
    found = cost(kind, score, torch.full((3, 5), mix, dtype=torch.float64))
    torch.testing.assert_close(found, COSTS[kind][0](lengths(end)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_gradient_of_exactly_zero_pulls_nowhere(kind) -> None:
    w = torch.zeros(3, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    found = cost(kind, linear_score(w))
    assert found.tolist() == [[COSTS[kind][0](0.0)] * 5] * 3
    (gradient,) = torch.autograd.grad(found.sum(), w)
    assert gradient.abs().max() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_nan_is_not_hidden_and_stays_in_its_member(kind) -> None:
    w = normal(3, 1, 4, 4)
    w[1, 0, 0, 0] = math.nan
    assert cost(kind, linear_score(w)).isnan().any(1).tolist() == [False, True, False]


def test_dropping_every_unit_is_no_divergence() -> None:
    runs = [
        make_run(seed, loss="wasserstein", penalty="gradient-penalty", batchnorm="none", dropout=0.9, lr=1e-4)
        for seed in (1, 2)
    ]
    cohort = Cohort(runs, some_images(), CPU)
    train(cohort, 10)
    assert cohort.divergences() == [None, None]
