from __future__ import annotations

import pytest
import torch
from small_networks import MNIST, POINTS, count, leaves, make_config, networks, normal, weighted
from torch import nn

from stability.gan.networks import ImageShape


def test_widths_of_mlp_follow_the_configuration() -> None:
    generator, discriminator = networks(make_config(width=12, latent_dim=7))
    assert [part.out_features for part in weighted(generator)] == [12, 24, 48, 96, 784]
    assert weighted(generator)[0].in_features == 7
    assert [part.in_features for part in weighted(discriminator)] == [784, 96, 48, 24]


@pytest.mark.parametrize("width", [8, 64])
def test_the_textbooks_sizes_whatever_the_width(width) -> None:
    config = make_config(
        architecture="fully-connected", width=width, latent_dim=100, batchnorm="none", dropout=0.3
    )
    generator, discriminator = networks(config)
    assert [part.weight.shape[1] for part in weighted(generator)] == [100, 200, 400, 1000]
    assert [part.weight.shape[1] for part in weighted(discriminator)] == [784, 1000, 400, 200]
    assert [part.shape for part in leaves(discriminator) if hasattr(part, "mask")] == [
        (1000,),
        (400,),
        (200,),
    ]
    assert count(generator) == 20_200 + 80_400 + 401_000 + 784_784
    assert count(discriminator) == 785_000 + 400_400 + 80_200 + 201
    generator, discriminator = networks(config, ImageShape(3, 32))
    assert weighted(generator)[-1].out_features == weighted(discriminator)[0].in_features == 3072


@pytest.mark.parametrize(
    ("image", "size_g", "size_d"),
    [
        (MNIST, 88 + 144 + 544 + 2112 + 50_960, 50_240 + 2080 + 528 + 17),
        (POINTS, 88 + 144 + 544 + 2112 + 130, 192 + 2080 + 528 + 17),
    ],
)
def test_sizes_of_mlp(image, size_g, size_d) -> None:
    generator, discriminator = networks(make_config(batchnorm="none"), image)
    assert (count(generator), count(discriminator)) == (size_g, size_d)


@pytest.mark.parametrize("architecture", ["mlp", "fully-connected"])
def test_generated_points_have_no_bounds(architecture) -> None:
    generator, discriminator = networks(make_config(architecture=architecture), POINTS)
    assert isinstance(leaves(generator)[-1], nn.Linear)
    with torch.no_grad():
        weighted(generator)[-1].bias.fill_(50.0)
    points = generator(normal(5, 10))
    assert points.shape == (5, 2, 1, 1)
    assert points.min() > 1
    assert discriminator(points).shape == (5,)


@pytest.mark.parametrize("architecture", ["mlp", "fully-connected"])
def test_both_networks_leak_alike(architecture) -> None:
    generator, discriminator = networks(make_config(architecture=architecture))
    for network in (generator, discriminator):
        slopes = [part.negative_slope for part in leaves(network) if isinstance(part, nn.LeakyReLU)]
        assert slopes == [0.2] * (len(weighted(network)) - 1)
    assert isinstance(leaves(generator)[-1], nn.Tanh)
    assert isinstance(leaves(discriminator)[-1], nn.Linear)
