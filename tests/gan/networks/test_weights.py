from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from small_networks import LAYERED, MNIST, WEIGHTED, leaves, make_config, networks
from torch import Tensor, nn

from stability.gan.networks import ARCHITECTURES, INIT_STD, INITS, NORMS, FeatureNorm, initial_weights
from stability.spec.config import Init

MLP_GENERATOR = [
    *("body.0.weight", "body.1.weight", "body.1.bias", "body.3.weight", "body.4.weight", "body.4.bias"),
    *("body.6.weight", "body.7.weight", "body.7.bias", "body.9.weight", "body.10.weight", "body.10.bias"),
    *("body.12.weight", "body.12.bias"),
]
DCGAN_DISCRIMINATOR = [
    *("body.0.weight", "body.0.bias", "body.3.weight", "body.3.bias", "body.7.weight", "body.7.bias"),
]


@pytest.mark.parametrize("architecture", LAYERED)
def test_initial_weights_are_those_of_the_dcgan_paper(architecture) -> None:
    config = make_config(architecture=architecture, width=32, latent_dim=50, batchnorm="both")
    for network in networks(config):
        for part in leaves(network):
            if isinstance(part, (*WEIGHTED, *NORMS)):
                mean = 1.0 if isinstance(part, NORMS) else 0.0
                n = part.weight.numel()
                assert part.weight.mean().item() == pytest.approx(mean, abs=5 * 0.02 / n**0.5)
                spread = (part.weight - mean).square().mean().sqrt().item()
                assert spread == pytest.approx(0.02, rel=5 / math.sqrt(2 * n))
                assert part.bias is None or not part.bias.any()


def test_names_and_their_order_are_those_of_stored_weights() -> None:
    generator, _ = networks(make_config(batchnorm="both"))
    assert [name for name, _ in generator.named_parameters()] == MLP_GENERATOR
    _, discriminator = networks(make_config(architecture="dcgan", dropout=0.1))
    names = [name for name, _ in discriminator.named_parameters()]
    assert names == DCGAN_DISCRIMINATOR


def test_weights_are_drawn_in_order_from_one_generator() -> None:
    network = nn.Sequential(nn.Linear(3, 2), FeatureNorm(2), nn.LayerNorm(2), nn.Linear(2, 1, bias=False))
    found = initial_weights(network, generator=torch.Generator().manual_seed(9))
    draws = torch.Generator().manual_seed(9)
    wanted = {
        "0.weight": torch.randn(2, 3, generator=draws) * INIT_STD,
        "0.bias": torch.zeros(2),
        "1.weight": 1 + torch.randn(2, generator=draws) * INIT_STD,
        "1.bias": torch.zeros(2),
        "2.weight": 1 + torch.randn(2, generator=draws) * INIT_STD,
        "2.bias": torch.zeros(2),
        "3.weight": torch.randn(1, 2, generator=draws) * INIT_STD,
    }
    assert list(found) == list(wanted)
    for name, value in wanted.items():
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize("init", INITS)
def test_the_other_starts_are_torchs_own(init) -> None:
    network = nn.Sequential(
        nn.Conv2d(2, 3, 4), nn.ConvTranspose2d(3, 2, 4), nn.GroupNorm(1, 2), nn.Linear(5, 6)
    )
    found = initial_weights(network, generator=torch.Generator().manual_seed(9), init=init)
    draws = torch.Generator().manual_seed(9)
    for k in (0, 1, 3):
        weight = torch.empty_like(network[k].weight)
        if init == "default":
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=draws)
            bound = 1 / math.sqrt(nn.init._calculate_fan_in_and_fan_out(weight)[0])
            bias = torch.rand(len(found[f"{k}.bias"]), generator=draws) * 2 * bound - bound
        else:
            starts = {"xavier": nn.init.xavier_uniform_, "orthogonal": nn.init.orthogonal_}
            starts.get(init, lambda w, generator: w.copy_(torch.randn(w.shape, generator=generator) * 0.02))(
                weight, generator=draws
            )
            bias = torch.zeros(len(found[f"{k}.bias"]))
        assert torch.equal(found[f"{k}.weight"], weight)
        assert torch.equal(found[f"{k}.bias"], bias)
        if k == 1 and init == "dcgan":
            torch.randn(2, generator=draws)
    assert init == "dcgan" or torch.equal(found["2.weight"], torch.ones(2))
    assert not found["2.bias"].any()


def test_the_study_file_accepts_exactly_the_starts_there_are() -> None:
    assert set(get_args(Init)) == set(INITS)


class Halves(nn.Linear):
    initial_value = 0.5


def test_a_module_may_name_its_initial_value_and_then_draws_nothing() -> None:
    drawn = initial_weights(nn.Linear(2, 1), generator=torch.Generator().manual_seed(1))
    both = nn.Sequential(Halves(2, 3), nn.Linear(2, 1))
    found = initial_weights(both, generator=torch.Generator().manual_seed(1))
    assert torch.equal(found["0.weight"], torch.full((3, 2), 0.5))
    assert torch.equal(found["0.bias"], torch.full((3,), 0.5))
    assert torch.equal(found["1.weight"], drawn["weight"])


def test_a_seed_means_the_same_weights_in_every_precision() -> None:
    network = ARCHITECTURES["mlp"].generator(make_config(), MNIST)
    with torch.device("meta"):
        template = ARCHITECTURES["mlp"].generator(make_config(), MNIST)

    def draw(of: nn.Module, seed: int, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
        return initial_weights(of, generator=torch.Generator().manual_seed(seed), dtype=dtype)

    one, same, double, other = (
        draw(network, 1),
        draw(template, 1),
        draw(network, 1, torch.float64),
        draw(network, 2),
    )
    assert list(one) == [name for name, _ in network.named_parameters()]
    for name, value in one.items():
        assert torch.equal(value, same[name])
        assert double[name].dtype == torch.float64
        assert torch.equal(value.double(), double[name])
        assert torch.equal(value, other[name]) == name.endswith("bias")
