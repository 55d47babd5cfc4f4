"""The floor's arithmetic is counted right: by hand for both architectures."""

from __future__ import annotations

from itertools import pairwise

import pytest

from benchmarks.operations import operations
from stability.spec.config import Config

WIDTH, BATCH, LATENT = 64, 64, 100


def by_hand(generator: list[int], discriminator: list[int]) -> int:
    """Of one step, given every layer's multiplications for one example, first layer first.

    The discriminator sees real and fake images, then the fakes again; its first layer's input needs no
    gradient in its own update, and its weights need none in the generator's.
    """
    g, d = sum(generator), sum(discriminator)
    update_d = 2 * (d + d + d - discriminator[0])
    update_g = d + d + g + (g - generator[0])
    return 2 * BATCH * (g + update_d + update_g)


def products(sizes: list[int]) -> list[int]:
    return [fan_in * fan_out for fan_in, fan_out in pairwise(sizes)]


def test_an_mlp_step() -> None:
    generator = products([LATENT, WIDTH, 2 * WIDTH, 4 * WIDTH, 8 * WIDTH, 784])
    discriminator = products([784, 8 * WIDTH, 4 * WIDTH, 2 * WIDTH, 1])
    found = operations(Config(architecture="mlp", width=WIDTH, batch_size=BATCH, latent_dim=LATENT))
    assert found.flops == by_hand(generator, discriminator)
    norms = 2 * (WIDTH + 2 * WIDTH + 4 * WIDTH + 8 * WIDTH) + 784
    biases = 8 * WIDTH + 4 * WIDTH + 2 * WIDTH + 1
    assert found.adam_bytes == 28 * (sum(generator) + sum(discriminator) + norms + biases)


def test_a_dcgan_step() -> None:
    width = 16
    generator = [LATENT * 2 * width * 49, 2 * width * width * 16 * 49, width * 16 * 196]
    discriminator = [width * 16 * 196, width * 2 * width * 16 * 49, 2 * width * 49]
    found = operations(Config(architecture="dcgan", width=width, batch_size=BATCH, latent_dim=LATENT))
    assert found.flops == by_hand(generator, discriminator)


@pytest.mark.parametrize("n_dis", [2, 5])
def test_every_discriminator_update_has_its_traffic(n_dis: int) -> None:
    once = operations(Config(width=8)).adam_bytes
    more = operations(Config(width=8, n_dis=n_dis)).adam_bytes
    again = operations(Config(width=8, n_dis=n_dis + 1)).adam_bytes
    assert more - once == pytest.approx((n_dis - 1) * (again - more))
