from __future__ import annotations

import torch
from small_networks import POINTS, make_config, networks, normal
from torch.func import functional_call, vmap

from stability.gan.networks import initial_weights

CONFIG = make_config(architecture="dirac", batchnorm="both", dropout=0.5)


def test_it_starts_at_one_and_minus_one_whatever_the_seed() -> None:
    starts = [
        [
            initial_weights(network, generator=torch.Generator().manual_seed(seed))
            for network in networks(CONFIG)
        ]
        for seed in (0, 1)
    ]
    for generator, discriminator in starts:
        assert generator == {"theta": torch.ones(1, 1, 1)}
        assert discriminator == {"body.1.weight": -torch.ones(1, 1)}


def test_it_is_two_numbers() -> None:
    generator, discriminator = networks(CONFIG)
    with torch.no_grad():
        generator.theta.fill_(3.5)
    assert torch.equal(generator(normal(4, 10)), torch.full((4, 1, 1, 1), 3.5))
    x = torch.tensor([2.0, -1.5, 0.0]).reshape(3, 1, 1, 1)
    assert torch.equal(discriminator(x), torch.tensor([-2.0, 1.5, 0.0]))
    (slope,) = torch.autograd.grad(discriminator(generator(normal(4, 10))).sum(), generator.theta)
    assert slope.item() == -4.0


def test_members_are_stacked_though_z_has_no_say() -> None:
    generator, _ = networks(CONFIG)
    theta = torch.tensor([1.0, 2.0, 3.0]).reshape(3, 1, 1, 1)
    out = vmap(lambda theta, z: functional_call(generator, {"theta": theta}, (z,)))(theta, normal(3, 4, 10))
    assert torch.equal(out, theta[:, None].expand(3, 4, 1, 1, 1))


def test_in_the_plane_both_are_vectors() -> None:
    generator, discriminator = networks(CONFIG, POINTS)
    assert torch.equal(generator(normal(2, 10)), torch.ones(2, 2, 1, 1))
    assert torch.equal(discriminator(torch.tensor([[3.0, 4.0]]).reshape(1, 2, 1, 1)), torch.tensor([-7.0]))
