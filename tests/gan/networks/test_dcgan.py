from __future__ import annotations

import pytest
import torch
from small_networks import count, leaves, make_config, networks, normal, weighted
from torch import nn

from stability.errors import StabilityError
from stability.gan.networks import ARCHITECTURES, ImageShape


def test_maps_double_from_the_configured_width() -> None:
    generator, discriminator = networks(make_config(architecture="dcgan", width=12), ImageShape(3, 64))
    assert [part.weight.shape[1] for part in weighted(generator)[1:]] == [48, 24, 12, 3]
    assert [part.weight.shape[0] for part in weighted(discriminator)] == [12, 24, 48, 96, 1]


@pytest.mark.parametrize(
    ("architecture", "more_g", "more_d"), [("dcgan", 0, 0), ("conditional", 3 * 784, 3 * 8 * 16)]
)
def test_sizes(architecture, more_g, more_d) -> None:
    generator, discriminator = networks(make_config(architecture=architecture, batchnorm="none"))
    assert count(generator) == 8624 + 2056 + 129 + more_g
    assert count(discriminator) == 136 + 2064 + 785 + more_d


def test_the_generator_has_relu_and_tanh() -> None:
    generator, discriminator = networks(make_config(architecture="dcgan"))
    assert sum(isinstance(part, nn.ReLU) for part in leaves(generator)) == 2
    assert isinstance(leaves(generator)[-1], nn.Tanh)
    assert isinstance(leaves(discriminator)[-1], nn.Linear)


def test_a_class_changes_the_image_and_its_logit() -> None:
    generator, discriminator = networks(make_config(architecture="conditional"))
    z = torch.cat([normal(1, 10).expand(3, 10), torch.eye(3)], 1)
    images = generator(z)
    assert not torch.equal(images[0], images[1])
    planes = torch.eye(3)[:, :, None, None].expand(3, 3, 28, 28)
    logits = discriminator(torch.cat([normal(1, 1, 28, 28).expand(3, 1, 28, 28), planes], 1))
    assert len(set(logits.tolist())) == 3


@pytest.mark.parametrize("architecture", ["dcgan", "conditional"])
@pytest.mark.parametrize("size", [1, 30])
def test_only_the_supported_sizes(architecture, size) -> None:
    config, pair = make_config(architecture=architecture), ARCHITECTURES[architecture]
    for build in (pair.generator, pair.discriminator):
        with pytest.raises(StabilityError) as error:
            build(config, ImageShape(1, size))
        assert str(error.value) == f"{architecture}: images of {size} pixels; allowed: 28, 32, 64"
