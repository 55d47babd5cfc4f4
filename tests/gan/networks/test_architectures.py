from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args

import pytest
import torch
from small_networks import (
    LAYERED,
    NATURAL,
    is_normed,
    leaves,
    make_config,
    masks,
    networks,
    some_images,
    some_z,
    weighted,
)
from torch import Tensor, nn
from torch.func import functional_call, vmap

from stability.errors import StabilityError
from stability.gan.networks import (
    ACTIVATIONS,
    ARCHITECTURES,
    ImageShape,
    Pair,
    find_pair,
    has_batchnorm,
    initial_weights,
)
from stability.spec.config import ARCHITECTURE_NAMES, BatchNorm

FUSED = [name for name, pair in ARCHITECTURES.items() if not pair.convolutional]


def test_the_study_file_accepts_exactly_the_tables_names() -> None:
    assert set(ARCHITECTURE_NAMES) == set(ARCHITECTURES) == set(NATURAL)
    assert set(ARCHITECTURES) - set(FUSED) == {"dcgan", "conditional", "unpool"}
    assert {name for name, pair in ARCHITECTURES.items() if pair.conditional} == {"conditional"}
    assert {name for name, pair in ARCHITECTURES.items() if pair.switches} == {"unpool"}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("batchnorm", get_args(BatchNorm))
@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("packing", [1, 2])
def test_shapes(architecture, batchnorm, dropout, packing) -> None:
    config = make_config(architecture=architecture, batchnorm=batchnorm, dropout=dropout, packing=packing)
    generator, discriminator = networks(config)
    image = NATURAL[architecture]
    assert generator(some_z(config, 5)).shape == (5, image.channels, image.size, image.size)
    assert discriminator(some_images(config, 5)).shape == (5,)


@pytest.mark.parametrize("architecture", ["mlp", "dcgan", "unpool", "fully-connected"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [28, 32, 64])
def test_images_have_every_size_and_the_range_of_images(architecture, channels, size) -> None:
    image = ImageShape(channels, size)
    generator, discriminator = networks(make_config(architecture=architecture, batchnorm="both"), image)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(100)
    fake = generator(some_z(make_config(), 5))
    assert fake.shape == (5, channels, size, size)
    assert (fake.min(), fake.max()) == (-1, 1)
    assert discriminator(fake).shape == (5,)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("batchnorm", ["none", "both"])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_every_parameter_and_input_matters(architecture, batchnorm, dropout) -> None:
    config = make_config(architecture=architecture, batchnorm=batchnorm, dropout=dropout)
    generator, discriminator = (network.double() for network in networks(config))
    z = some_z(config, 6, dtype=torch.float64).requires_grad_()
    generator(z).square().sum().backward()
    images = some_images(config, 6, seed=1, dtype=torch.float64).requires_grad_()
    (discriminator(images) + 1).square().sum().backward()
    for network in (generator, discriminator):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name
    assert architecture == "dirac" or (z.grad != 0).all()
    assert (images.grad != 0).all()


@pytest.mark.parametrize("architecture", LAYERED)
@pytest.mark.parametrize("batchnorm", get_args(BatchNorm))
def test_batchnorm_exactly_where_asked(architecture, batchnorm) -> None:
    generator, discriminator = networks(make_config(architecture=architecture, batchnorm=batchnorm))
    in_g, in_d = batchnorm in ("generator", "both"), batchnorm in ("discriminator", "both")
    depth_g, depth_d = len(weighted(generator)), len(weighted(discriminator))
    assert min(depth_g, depth_d) >= 3
    assert is_normed(generator) == [in_g] * (depth_g - 1) + [False]
    assert is_normed(discriminator) == [False] + [in_d] * (depth_d - 2) + [False]
    assert (has_batchnorm(generator), has_batchnorm(discriminator)) == (in_g, in_d)
    for network in (generator, discriminator):
        if architecture == "maxout" and network is discriminator:
            continue  # the biases of a unit's pieces differ, which batchnorm does not undo
        biased = [part.bias is not None for part in weighted(network)]
        assert biased == [not normed for normed in is_normed(network)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_evaluation_mode_changes_nothing_and_no_statistics_are_kept(architecture) -> None:
    config = make_config(architecture=architecture, batchnorm="both")
    for network, make in zip(networks(config), (some_z, some_images), strict=True):
        first = network(make(config, 6))
        network(make(config, 6, seed=4) + 3)
        assert torch.equal(network.eval()(make(config, 6)), first)
        assert not any(getattr(part, "track_running_stats", False) for part in leaves(network))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_template_without_memory_runs_on_weights_that_are_handed_in(architecture) -> None:
    config = make_config(architecture=architecture, batchnorm="both", dropout=0.2)
    image, pair = NATURAL[architecture], ARCHITECTURES[architecture]
    with torch.device("meta"):
        templates = pair.generator(config, image), pair.discriminator(config, image.seen(1))
    for template, network, make in zip(templates, networks(config), (some_z, some_images), strict=True):
        assert {value.device.type for value in template.state_dict().values()} == {"meta"}
        network.double()
        out = functional_call(template, dict(network.state_dict()), (make(config, 4, dtype=torch.float64),))
        assert out.dtype == torch.float64
        assert torch.equal(out, network(make(config, 4, dtype=torch.float64)))


def stacked_results(
    template: nn.Module, members: list[dict[str, Tensor]], x: Tensor, rows: list[int]
) -> list[Tensor]:
    """Outputs and the weights' gradients of these members, run together."""
    weights = {name: torch.stack([members[k][name] for k in rows]).requires_grad_() for name in members[0]}
    out = vmap(lambda weights, x: functional_call(template, weights, (x,)))(weights, x[rows])
    slope = torch.cos(torch.arange(out[0].numel())).reshape(out[0].shape)
    return [out.detach(), *torch.autograd.grad((out * slope).sum(), list(weights.values()))]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("architecture", FUSED)
def test_a_members_numbers_do_not_depend_on_its_cohort(architecture, activation) -> None:
    config = make_config(architecture=architecture, activation=activation, batchnorm="both", width=9)
    for network, make in zip(networks(config), (some_z, some_images), strict=True):
        members = [
            {
                name: 5 * weight
                for name, weight in initial_weights(
                    network, generator=torch.Generator().manual_seed(seed)
                ).items()
            }
            for seed in range(5)
        ]
        x = torch.stack([make(config, 7, seed=seed) for seed in range(5)])
        all_together = stacked_results(network, members, x, [0, 1, 2, 3, 4])
        two = stacked_results(network, members, x, [3, 2])
        for among_five, among_two in zip(all_together, two, strict=True):
            assert torch.equal(among_five[3], among_two[0])
            assert torch.equal(among_five[2], among_two[1])


@pytest.mark.parametrize("architecture", LAYERED)
def test_dropout_is_in_the_discriminators_hidden_layers_and_only_where_asked(architecture) -> None:
    config = make_config(architecture=architecture, dropout=0.3)
    generator, discriminator = networks(config)
    assert len(masks(discriminator)) == len(weighted(discriminator)) - 1
    assert not masks(generator)
    _, plain = networks(make_config(architecture=architecture))
    assert not masks(plain)
    images = some_images(config, 4)
    assert torch.equal(discriminator(images), plain(images))  # no mask filled: no dropout


@pytest.mark.parametrize("architecture", LAYERED)
def test_a_filled_mask_drops_units_of_its_own_example(architecture) -> None:
    config = make_config(architecture=architecture, dropout=0.3)
    _, discriminator = networks(config)
    images = some_images(config, 4)
    without = discriminator(images)
    for part in masks(discriminator):
        part.mask = torch.ones(4, *part.shape)
        part.mask[2] = 0
    dropped = discriminator(images)
    assert torch.equal(dropped[[0, 1, 3]], without[[0, 1, 3]])
    assert without[2] != 0
    assert dropped[2] == weighted(discriminator)[-1].bias
    masks(discriminator)[-1].mask[2] = 2.0  # what survives is scaled; the layers before are still dropped
    assert discriminator(images)[2] == weighted(discriminator)[-1].bias


# --- pairs of one's own -------------------------------------------------------------------------------

OWN = """
from torch import nn
from stability.gan.networks import Pair, Shaped

def generator(config, image):
    layers = nn.Sequential(nn.Linear(config.latent_dim, image.pixels))
    return Shaped(layers, (image.channels, image.size, image.size))

def discriminator(config, image):
    return Shaped(nn.Sequential(nn.Flatten(), nn.Linear(image.pixels, 1)), ())

pair = Pair(generator, discriminator)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_the_packages_own_are_found_by_name() -> None:
    assert all(find_pair(name) is pair for name, pair in ARCHITECTURES.items())


@pytest.mark.parametrize(("file", "name"), [("mine.py", "mine:pair"), ("nets/mine.py", "nets.mine:pair")])
def test_a_pair_is_imported_from_the_current_directory(here, file, name) -> None:
    write(here / file, OWN)
    path = list(sys.path)
    pair = find_pair(name)
    assert isinstance(pair, Pair)
    assert (pair.convolutional, pair.conditional, pair.switches) == (False, False, False)
    assert pair.generator(make_config(), ImageShape(2, 1))(torch.zeros(3, 10)).shape == (3, 2, 1, 1)
    assert sys.path == path
    assert find_pair(name) is pair


def test_a_pair_may_be_anywhere_on_pythons_path(here, tmp_path_factory, monkeypatch) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write(elsewhere / "installed_nets.py", OWN)
    with pytest.raises(StabilityError):
        find_pair("installed_nets:pair")
    monkeypatch.syspath_prepend(elsewhere)
    assert isinstance(find_pair("installed_nets:pair"), Pair)


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (None, "mine:pair", "mine:pair: no module mine in {here} or installed"),
        (None, "mine.nets:pair", "mine.nets:pair: no module mine in {here} or installed"),
        (OWN, "mine.nets:pair", "mine.nets:pair: no module mine.nets in {here} or installed"),
        (OWN, "mine:other", "mine:other: module mine has no other"),
        (OWN, "mine:generator", "mine:generator: is a function, not a stability.gan.networks.Pair"),
        (
            "import absent_elsewhere",
            "mine:pair",
            "mine:pair: importing mine failed: ModuleNotFoundError: No module named 'absent_elsewhere'",
        ),
        (
            "raise ValueError('one\\ntwo')",
            "mine:pair",
            "mine:pair: importing mine failed: ValueError: one",
        ),
        ("import sys; sys.exit(3)", "mine:pair", "mine:pair: importing mine failed: SystemExit: 3"),
        ("assert False", "mine:pair", "mine:pair: importing mine failed: AssertionError"),
        (
            None,
            "mlpp",
            f"mlpp: no such architecture; allowed: {', '.join(ARCHITECTURES)} or package.module:pair",
        ),
    ],
)
def test_what_is_no_pair_is_told_in_one_line(here, text, name, message) -> None:
    if text is not None:
        write(here / "mine.py", text)
    path = list(sys.path)
    with pytest.raises(StabilityError) as error:
        find_pair(name)
    assert str(error.value) == message.format(here=here)
    assert sys.path == path
