from __future__ import annotations

import numpy as np
import pytest
import torch
from cohorts import CPU64, make_run, some_images, train
from torch import Tensor

from stability.gan.training.cohort import Cohort
from stability.gan.training.spectral import SpectralNorm


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(leaf: Tensor, iterations: int = 2000) -> tuple[SpectralNorm, dict[str, Tensor]]:
    leaves = {"w": leaf}
    norm = SpectralNorm({"w": normal(*leaf.shape[:2], seed=7)})
    norm.iterate(leaves, iterations)
    return norm, leaves


def largest_singular_values(leaf: Tensor) -> list[float]:
    return [float(np.linalg.svd(w.flatten(1).numpy(), compute_uv=False)[0]) for w in leaf]


@pytest.mark.parametrize("shape", [(3, 7, 4), (2, 4, 9), (3, 6, 2, 4, 4), (1, 5, 5), (2, 1, 1)])
def test_the_largest_singular_value_becomes_one(shape) -> None:
    leaf = normal(*shape) * 3
    norm, leaves = made(leaf)
    found = norm(leaves)["w"]
    sigma = torch.tensor(largest_singular_values(leaf), dtype=torch.float64)
    expected = leaf / sigma.reshape(-1, *(1 for _ in shape[1:]))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    assert largest_singular_values(found) == pytest.approx([1.0] * shape[0])


def test_the_gradient_is_that_of_w_over_sigma() -> None:
    """d/dW <S, W / sigma> = (S - <S, W / sigma> u v') / sigma (Miyato 2018, eq. 12)."""
    leaf, slope = normal(2, 6, 4).requires_grad_(), normal(2, 6, 4, seed=1)
    norm, _ = made(leaf.detach())
    normalised = norm({"w": leaf})["w"]
    (found,) = torch.autograd.grad((normalised * slope).sum(), leaf)
    for k in range(2):
        u, s, v = np.linalg.svd(leaf[k].detach().numpy())
        inner = float((slope[k] * normalised[k].detach()).sum())
        expected = (slope[k].numpy() - inner * np.outer(u[:, 0], v[0])) / s[0]
        np.testing.assert_allclose(found[k].numpy(), expected, rtol=1e-8, atol=1e-9)


def test_one_iteration_at_a_time_converges() -> None:
    leaf = normal(1, 30, 20)
    norm, leaves = made(leaf, 1)
    far = [abs(largest_singular_values(norm(leaves)["w"])[0] - 1)]
    for _ in range(4):
        norm.iterate(leaves, 20)
        far.append(abs(largest_singular_values(norm(leaves)["w"])[0] - 1))
    assert far[0] > 1e-3
    assert far == sorted(far, reverse=True)


def test_biases_and_batchnorm_are_left_alone() -> None:
    leaves = {"0.weight": normal(2, 3, 4), "0.bias": normal(2, 4), "1.weight": normal(2, 4)}
    assert set(SpectralNorm.normalised(leaves)) == {"0.weight"}


def test_a_lone_member_rounds_as_among_others() -> None:
    leaf = normal(4, 50, 37).float()
    starts = normal(4, 50, seed=3).float()
    together, alone = SpectralNorm({"w": starts}), SpectralNorm({"w": starts[2:3]})
    for norm, leaves in ((together, leaf), (alone, leaf[2:3])):
        norm.iterate({"w": leaves}, 5)
    assert torch.equal(together({"w": leaf})["w"][2], alone({"w": leaf[2:3]})["w"][0])


@pytest.mark.parametrize("architecture", ["mlp", "dcgan", "fully-connected"])
def test_every_weight_of_the_discriminator_and_none_of_the_generator(architecture) -> None:
    run = make_run(1, architecture=architecture, spectral_norm=True, batchnorm="none", lr=1e-5)
    cohort = Cohort([run], some_images(), CPU64)
    train(cohort, 20)
    norm, leaves = cohort.discriminator.norm, cohort.discriminator.leaves
    normalised = norm(leaves)
    assert set(normalised) == {name for name in leaves if name.endswith("weight")}
    for weight in normalised.values():
        assert largest_singular_values(weight.detach())[0] == pytest.approx(1, abs=0.05)
    assert cohort.generator.norm is None
    images = some_images(16)
    first, last = (cohort.real_logits(images) for _ in range(2))
    assert torch.equal(first, last)  # looking moves no singular vector


def test_the_discriminators_slope_is_bounded() -> None:
    """Layers of norm 1 and activations of slope <= 1 make a function of slope <= 1."""
    cohort = Cohort([make_run(1, spectral_norm=True, batchnorm="none", lr=1e-3)], some_images(), CPU64)
    train(cohort, 30)
    x = normal(2, 8, 1, 28, 28).requires_grad_()
    (slope,) = torch.autograd.grad(cohort.discriminator(x).sum(), x)
    assert slope.flatten(2).norm(dim=2).max() < 1.05
