"""The naive loop trains what it is compared with: the same networks, the same losses."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice

import pytest
import torch
from torch import Tensor, nn

from benchmarks import naive
from stability.gan.data.datasets import load_dataset
from stability.gan.losses import LOSSES
from stability.gan.networks import ImageShape, find_pair
from stability.spec.config import Config

DIGITS = ImageShape(1, 28, 0)


def logits(seed: int) -> Tensor:
    return 3 * torch.randn(64, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def n_weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def noise_images(n: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(0)
    while True:
        yield 2 * torch.rand(n, 1, 28, 28, generator=generator) - 1


@pytest.mark.parametrize("name", naive.TRAINED)
def test_its_losses_are_those_of_the_table(name: str) -> None:
    real, fake = logits(1), logits(2)
    torch.testing.assert_close(naive.loss_d(name, real, fake), LOSSES[name].discriminator(real, fake).mean())
    torch.testing.assert_close(naive.loss_g(name, fake), LOSSES[name].generator(real, fake).mean())


@pytest.mark.parametrize("batchnorm", ["generator", "both"])
@pytest.mark.parametrize("architecture", list(naive.NETWORKS))
def test_its_networks_have_as_many_weights_as_ours(architecture: str, batchnorm: str) -> None:
    config = Config(architecture=architecture, batchnorm=batchnorm, width=16)
    pair = find_pair(architecture)
    theirs = naive.NETWORKS[architecture](config)
    ours = pair.generator(config, DIGITS), pair.discriminator(config, DIGITS)
    assert [n_weights(network) for network in theirs] == [n_weights(network) for network in ours]


def test_its_penalty_is_that_of_a_linear_critic() -> None:
    critic = nn.Sequential(nn.Flatten(), nn.Linear(784, 1), nn.Flatten(0))
    real, fake = islice(noise_images(5), 2)
    slope = critic[1].weight.detach().norm()
    found = naive.gradient_penalty(critic, real, fake)
    torch.testing.assert_close(found.detach(), (slope - 1) ** 2)


@pytest.mark.parametrize("architecture", list(naive.NETWORKS))
def test_it_trains_both_networks_and_says_so(architecture: str) -> None:
    config = Config(architecture=architecture, width=8, batch_size=4, n_dis=2, latent_dim=5)
    log = io.StringIO()
    gan = naive.NaiveGan(config, noise_images(4), log)
    networks = (gan.generator, gan.discriminator)
    before = [nn.utils.parameters_to_vector(network.parameters()).clone() for network in networks]
    gan.train(3)
    after = [nn.utils.parameters_to_vector(network.parameters()) for network in networks]
    assert all((old != new).any() for old, new in zip(before, after, strict=True))
    assert len(gan.history) == len(log.getvalue().splitlines()) == 3
    assert gan.generator(gan.noise(2)).shape == (2, 1, 28, 28)


def test_its_batches_are_the_embedded_digits(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = naive.write_mnist(tmp_path_factory.mktemp("mnist"))
    images = next(naive.batches(root, 16))
    assert images.shape == (16, 1, 28, 28)
    known = load_dataset("mnist", device=torch.device("cpu")).train.flatten(1)
    drawn = ((images + 1) * 127.5).round().to(torch.uint8).flatten(1)
    assert all((known == row).all(1).any() for row in drawn)
