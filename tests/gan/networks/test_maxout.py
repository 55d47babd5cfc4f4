from __future__ import annotations

import pytest
import torch
from small_networks import count, leaves, make_config, networks, normal, weighted
from torch import nn

from stability.gan.networks.maxout import Maxout


def test_a_unit_is_the_largest_of_its_pieces() -> None:
    x = torch.tensor([[1.0, -2.0, 5.0, -3.0, 0.0, -1.0], [0.0, 0.0, -1.0, 4.0, -2.0, 3.0]])
    assert torch.equal(Maxout(3)(x), torch.tensor([[5.0, -1.0], [0.0, 4.0]]))
    slope = x.requires_grad_()
    (found,) = torch.autograd.grad(Maxout(3)(x)[0].sum(), slope)
    assert torch.equal(found, torch.tensor([[0.0, 0, 1, 0, 0, 1], [0, 0, 0, 0, 0, 0]]))


@pytest.mark.parametrize(
    ("batchnorm", "size_g", "size_d"),
    [
        ("none", 1200 + 3 * 160_400 + 802, 3000 + 2 * 201_000 + 201),
        ("both", 800 + 3 * 160_000 + 4 * 800 + 802, 3000 + 2 * 201_000 + 2 * 400 + 201),
    ],
)
@pytest.mark.parametrize("width", [8, 64])
def test_pacgans_sizes_whatever_the_width(width, batchnorm, size_g, size_d) -> None:
    config = make_config(architecture="maxout", latent_dim=2, width=width, batchnorm=batchnorm)
    generator, discriminator = networks(config)
    assert [tuple(part.weight.shape) for part in weighted(generator)] == [
        (400, 2),
        *[(400, 400)] * 3,
        (2, 400),
    ]
    assert [tuple(part.weight.shape) for part in weighted(discriminator)] == [
        (1000, 2),
        *[(1000, 200)] * 2,
        (1, 200),
    ]
    assert (count(generator), count(discriminator)) == (size_g, size_d)
    assert sum(isinstance(part, nn.ReLU) for part in leaves(generator)) == 4
    assert [part.pieces for part in leaves(discriminator) if isinstance(part, Maxout)] == [5, 5, 5]
    assert all(part.bias is not None for part in weighted(discriminator))


def test_generated_points_have_no_bounds() -> None:
    generator, _ = networks(make_config(architecture="maxout"))
    with torch.no_grad():
        weighted(generator)[-1].bias.fill_(-50.0)
    assert generator(normal(5, 10)).max() < -1


def test_packed_points_are_judged_together() -> None:
    _, discriminator = networks(make_config(architecture="maxout", packing=4))
    assert weighted(discriminator)[0].in_features == 8
    assert discriminator(normal(5, 8, 1, 1)).shape == (5,)
