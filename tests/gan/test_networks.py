from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from stability.errors import StabilityError
from stability.gan.networks import (
    ARCHITECTURES,
    LEAK,
    NORMS,
    FeatureNorm,
    ImageShape,
    MaskDropout,
    has_batchnorm,
    initial_weights,
)
from stability.spec.config import Architecture, BatchNorm, Config

WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
MNIST = ImageShape(1, 28)


def make_config(**parameters: object) -> Config:
    return Config.model_validate({"width": 8, "latent_dim": 10} | parameters)


def networks(config: Config, image: ImageShape = MNIST) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator with their initial weights."""
    pair = ARCHITECTURES[config.architecture]
    both = pair.generator(config, image), pair.discriminator(config, image)
    for seed, network in enumerate(both):
        weights = initial_weights(network, generator=torch.Generator().manual_seed(seed))
        network.load_state_dict(weights | dict(network.named_buffers()))
    return both


def leaves(network: nn.Module) -> list[nn.Module]:
    return [part for part in network.modules() if not list(part.children())]


def weighted(network: nn.Module) -> list[nn.Module]:
    return [part for part in leaves(network) if isinstance(part, WEIGHTED)]


def is_normed(network: nn.Module) -> list[bool]:
    """For each layer with weights, in order: whether a batchnorm comes before the next such layer."""
    flags: list[bool] = []
    for part in leaves(network):
        if isinstance(part, WEIGHTED):
            flags.append(False)
        elif isinstance(part, NORMS):
            assert not flags[-1], "two batchnorms on one layer"
            flags[-1] = True
    return flags


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_the_study_file_accepts_exactly_the_tables_names() -> None:
    assert set(get_args(Architecture)) == set(ARCHITECTURES)
    assert {name for name, pair in ARCHITECTURES.items() if pair.convolutional} == {"dcgan"}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("batchnorm", ["none", "both"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [28, 32, 64])
def test_shapes_and_range(architecture, batchnorm, channels, size) -> None:
    image = ImageShape(channels, size)
    generator, discriminator = networks(
        make_config(architecture=architecture, batchnorm=batchnorm, dropout=0.1), image
    )
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(100)
    fake = generator(normal(5, 10))
    assert fake.shape == (5, channels, size, size)
    assert (fake.min(), fake.max()) == (-1, 1)
    assert discriminator(fake).shape == (5,)
    assert image.pixels == fake[0].numel()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_parameter_and_pixel_matters(architecture) -> None:
    generator, discriminator = networks(make_config(architecture=architecture, batchnorm="both"))
    generator.double()
    discriminator.double()
    z = normal(6, 10, dtype=torch.float64).requires_grad_()
    fake = generator(z)
    discriminator(fake).square().sum().backward()
    for network in (generator, discriminator):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name
    assert (z.grad.abs() > 0).all()
    images = normal(6, 1, 28, 28, dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(images).square().sum(), images)
    assert (slope != 0).all()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("batchnorm", get_args(BatchNorm))
@pytest.mark.parametrize("size", [28, 64])
def test_batchnorm_exactly_where_asked(architecture, batchnorm, size) -> None:
    config = make_config(architecture=architecture, batchnorm=batchnorm)
    generator, discriminator = networks(config, ImageShape(1, size))
    in_g, in_d = batchnorm in ("generator", "both"), batchnorm in ("discriminator", "both")
    depth_g, depth_d = len(weighted(generator)), len(weighted(discriminator))
    assert depth_g >= 3
    assert depth_d >= 3
    assert is_normed(generator) == [in_g] * (depth_g - 1) + [False]
    assert is_normed(discriminator) == [False] + [in_d] * (depth_d - 2) + [False]
    assert (has_batchnorm(generator), has_batchnorm(discriminator)) == (in_g, in_d)
    for network in (generator, discriminator):
        biased = [part.bias is not None for part in weighted(network)]
        assert biased == [not normed for normed in is_normed(network)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_activations(architecture) -> None:
    generator, discriminator = networks(make_config(architecture=architecture))
    assert isinstance(leaves(generator)[-1], nn.Tanh)
    assert isinstance(leaves(discriminator)[-1], nn.Linear)
    slopes = [part.negative_slope for part in leaves(discriminator) if isinstance(part, nn.LeakyReLU)]
    assert slopes == [LEAK] * (len(weighted(discriminator)) - 1)
    assert LEAK == 0.2
    assert not any(isinstance(part, nn.ReLU) for part in leaves(discriminator))


def test_widths_follow_the_configuration() -> None:
    generator, discriminator = networks(make_config(width=12, latent_dim=7))
    assert [part.out_features for part in weighted(generator)] == [12, 24, 48, 96, 784]
    assert weighted(generator)[0].in_features == 7
    assert [part.in_features for part in weighted(discriminator)] == [784, 96, 48, 24]
    generator, discriminator = networks(make_config(architecture="dcgan", width=12), ImageShape(3, 64))
    assert [part.weight.shape[1] for part in weighted(generator)[1:]] == [48, 24, 12, 3]
    assert [part.weight.shape[0] for part in weighted(discriminator)] == [12, 24, 48, 96, 1]


def test_only_the_supported_sizes_of_dcgan() -> None:
    config = make_config(architecture="dcgan")
    for build in (ARCHITECTURES["dcgan"].generator, ARCHITECTURES["dcgan"].discriminator):
        with pytest.raises(StabilityError, match=r"dcgan: images of 30 pixels; allowed: 28, 32, 64"):
            build(config, ImageShape(1, 30))


def reference_norm(features: int, module: FeatureNorm) -> nn.BatchNorm1d:
    reference = nn.BatchNorm1d(features, track_running_stats=False).double()
    reference.load_state_dict(module.state_dict())
    return reference


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e3])
def test_feature_norm_equals_batchnorm_with_its_gradients(scale) -> None:
    ours = FeatureNorm(6).double()
    ours.load_state_dict(
        {
            "weight": normal(6, seed=1, dtype=torch.float64),
            "bias": normal(6, seed=2, dtype=torch.float64),
        }
    )
    x = (scale * normal(9, 6, dtype=torch.float64) + 3).requires_grad_()
    target = normal(9, 6, seed=3, dtype=torch.float64)
    outcomes = []
    for module in (ours, reference_norm(6, ours)):
        out = module(x)
        gradients = torch.autograd.grad((out * target).sum(), [x, module.weight, module.bias])
        outcomes.append((out.detach(), *gradients))
    for mine, theirs in zip(*outcomes, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9 * float(theirs.abs().max()))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_evaluation_mode_changes_nothing_and_no_statistics_are_kept(architecture) -> None:
    generator, _ = networks(make_config(architecture=architecture, batchnorm="both"))
    z = normal(6, 10)
    first = generator(z)
    generator(normal(6, 10, seed=4) + 3)
    assert torch.equal(generator.eval()(z), first)
    assert not list(generator.buffers())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
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


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_dropout_is_in_the_discriminators_hidden_layers_and_only_where_asked(architecture) -> None:
    config = make_config(architecture=architecture, dropout=0.3)
    generator, discriminator = networks(config)
    masks = [part for part in leaves(discriminator) if isinstance(part, MaskDropout)]
    assert len(masks) == len(weighted(discriminator)) - 1
    assert not any(isinstance(part, MaskDropout) for part in leaves(generator))
    _, plain = networks(make_config(architecture=architecture))
    assert not any(isinstance(part, MaskDropout) for part in leaves(plain))
    images = normal(4, 1, 28, 28)
    assert torch.equal(discriminator(images), plain(images))  # no mask filled: no dropout


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_filled_mask_drops_units_of_its_own_example(architecture) -> None:
    _, discriminator = networks(make_config(architecture=architecture, dropout=0.3))
    images = normal(4, 1, 28, 28)
    without = discriminator(images)
    for part in leaves(discriminator):
        if isinstance(part, MaskDropout):
            part.mask = torch.ones(4, *part.shape)
            part.mask[2] = 0
            last = part
    dropped = discriminator(images)
    assert torch.equal(dropped[[0, 1, 3]], without[[0, 1, 3]])
    assert dropped[2] == weighted(discriminator)[-1].bias
    last.mask[2] = 2.0  # what survives is scaled; the layers before are still dropped
    assert discriminator(images)[2] == weighted(discriminator)[-1].bias
