from __future__ import annotations

import re
import sys
from types import ModuleType

import pytest
import torch
from small_networks import MNIST, NATURAL, POINTS, make_config
from torch import Tensor, nn

from stability.errors import StabilityError
from stability.gan.networks import (
    ARCHITECTURES,
    FeatureNorm,
    ImageShape,
    MaskDropout,
    Pair,
    Shaped,
    Unpool,
    check_pair,
)


class Function(nn.Module):
    """A layer that is a plain function."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Unused(nn.Module):
    """Has a parameter that its output ignores."""

    initial_value = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return x


class Remembering(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("past", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.past


class Constant(nn.Module):
    """Holds a tensor that is neither a parameter nor a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.value = torch.ones(1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.value


class BatchMean(nn.Module):
    def __init__(self, *, told: bool) -> None:
        super().__init__()
        if told:
            self.mixes_rows = True

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0)


def twice(layer: nn.Module) -> nn.Sequential:
    return nn.Sequential(layer, layer)


def frozen(layer: nn.Module) -> nn.Module:
    return layer.requires_grad_(False)


def doubled_unless_zero(x: Tensor) -> Tensor:
    return x * 2 if x.abs().max().item() > 0 else x


def generator_with(*layers) -> object:
    """A builder of z -> point, with more layers made when built."""
    return lambda config, image: Shaped(
        nn.Sequential(
            nn.Linear(config.latent_dim, 4), *(make() for make in layers), nn.Linear(4, image.pixels)
        ),
        (image.channels, image.size, image.size),
    )


def discriminator_with(*layers) -> object:
    return lambda config, image: Shaped(
        nn.Sequential(
            nn.Flatten(), nn.Linear(image.pixels, 4), *(make() for make in layers), nn.Linear(4, 1)
        ),
        (),
    )


@pytest.fixture
def check(monkeypatch):
    """Check a pair of one's own, on points in the plane."""

    def run(generator=None, discriminator=None, image=POINTS, *, packing=1, **flags: bool) -> None:
        module = ModuleType("own")
        module.pair = Pair(generator or generator_with(), discriminator or discriminator_with(), **flags)
        monkeypatch.setitem(sys.modules, "own", module)
        check_pair(make_config(architecture="own:pair", dropout=0.2, packing=packing), image)

    return run


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("batchnorm", ["none", "both"])
@pytest.mark.parametrize("packing", [1, 2])
def test_the_packages_own_pairs_pass(architecture, batchnorm, packing) -> None:
    config = make_config(architecture=architecture, batchnorm=batchnorm, packing=packing, dropout=0.2)
    check_pair(config, NATURAL[architecture])


def test_an_own_pair_passes(check) -> None:
    check()
    check(packing=3)
    check(image=ImageShape(3, 28))
    check(
        image=ImageShape(1, 28, classes=10)
    )  # labels that a pair is not conditional on are not its business
    check(discriminator=discriminator_with(lambda: MaskDropout(4), lambda: FeatureNorm(4)))
    check(discriminator=discriminator_with(lambda: nn.LayerNorm(4), lambda: Function(torch.tanh)))


def test_a_conditional_pair_gets_the_class_in_both_networks(check) -> None:
    def wide(config, image) -> nn.Module:
        layers = nn.Sequential(nn.Linear(config.latent_dim + image.classes, image.pixels))
        return Shaped(layers, (image.channels, image.size, image.size))

    check(wide, image=ImageShape(1, 28, classes=10), conditional=True)
    with pytest.raises(StabilityError, match=r"^own:pair: is conditional, and the data have no classes$"):
        check(wide, image=MNIST, conditional=True)
    with pytest.raises(StabilityError, match=r"^own:pair: generator: fails on an input of shape \[4, 20\]: "):
        check(image=ImageShape(1, 28, classes=10), conditional=True)


REFUSED = {
    "running statistics": (
        lambda: nn.BatchNorm1d(4),
        r"LAYER \(BatchNorm1d\) keeps running statistics; give it track_running_stats=False",
    ),
    "rounding of the cohort": (
        lambda: nn.BatchNorm1d(4, track_running_stats=False),
        r"LAYER \(BatchNorm1d\) rounds differently in every cohort; use stability.gan.networks.FeatureNorm",
    ),
    "buffer": (Remembering, r"LAYER \(Remembering\) has the buffer past, which nothing would fill"),
    "unpool": (lambda: Unpool(1, 1), r"LAYER \(Unpool\) has the buffer indices, which nothing would fill"),
    "shared": (lambda: twice(nn.Linear(4, 4)), r"two of its layers share a parameter; each needs its own"),
    "frozen": (lambda: frozen(nn.Linear(4, 4)), r"LAYER.weight does not require a gradient, but every .*"),
    "constant": (Constant, r"fails on an input of shape \[4, .*\]: \w+: .*meta.*"),
    "misfit": (lambda: nn.Linear(5, 4), r"fails on an input of shape \[4, .*\]: RuntimeError: .*shapes.*"),
    "random": (lambda: Function(lambda x: x + torch.rand_like(x)), r"gives different outputs on the same .*"),
    "unused": (Unused, r"no gradient reaches LAYER.factor"),
    "no gradient": (lambda: Function(lambda x: x.detach()), r"no gradient reaches BEFORE.weight"),
    "vmap": (
        lambda: Function(doubled_unless_zero),
        r"fails under vmap, which pairs that are not convolutional run in: \w+: .*",
    ),
}
PLACES = {"generator": ("body.0", "body.1"), "discriminator": ("body.1", "body.2")}


def refusal(check, *arguments: object, **options: object) -> str:
    """The one line that the pair is refused with, without the pair's name."""
    with pytest.raises(StabilityError) as error:
        check(*arguments, **options)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("own:pair: ")
    return str(error.value).removeprefix("own:pair: ")


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("side", PLACES)
def test_layers_that_the_engine_cannot_run_are_refused(check, side, kind) -> None:
    layer, message = REFUSED[kind]
    network = generator_with(layer) if side == "generator" else discriminator_with(layer)
    before, place = PLACES[side]
    message = message.replace("LAYER", place).replace("BEFORE", before)
    found = refusal(check, **{side: network})
    assert re.fullmatch(f"{side}: {message}", found), found


def test_convolutional_pairs_need_no_vmap_on_a_cpu(check) -> None:
    for layer in (REFUSED["vmap"][0], REFUSED["rounding of the cohort"][0]):
        check(discriminator=discriminator_with(layer), convolutional=True)


def test_either_network_may_have_dropout_of_the_right_shape(check) -> None:
    check(generator_with(lambda: MaskDropout(4)))
    found = refusal(check, generator_with(lambda: MaskDropout(3)))
    assert found.startswith("generator: fails on an input of shape [4, 10]: RuntimeError: ")
    found = refusal(check, discriminator=discriminator_with(lambda: MaskDropout(3)))
    assert found.startswith("discriminator: fails on an input of shape [4, 2, 1, 1]: RuntimeError: ")


def test_dropout_of_torchs_own_is_told_what_to_use(check) -> None:
    for layer in (nn.Dropout(0.5), nn.AlphaDropout(0.5)):
        why = f"({type(layer).__name__}) draws from torch's global stream; "
        why += "use stability.gan.networks.MaskDropout"
        found = refusal(check, generator_with(lambda layer=layer: layer))
        assert found == f"generator: body.1 {why}"
        found = refusal(check, discriminator=discriminator_with(lambda layer=layer: layer))
        assert found == f"discriminator: body.2 {why}"


class Factor(nn.Module):
    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.factor = nn.Parameter(value)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def linear(start, name: str = "weight") -> nn.Module:
    layer = nn.Linear(4, 4)
    start(getattr(layer, name))
    return layer


def set_to(value: float):
    def start(parameter: Tensor) -> None:
        parameter.data.copy_(torch.full_like(parameter, value))

    return start


IGNORED = {
    "orthogonal": (lambda: linear(nn.init.orthogonal_), "Linear", "weight"),
    "another spread": (lambda: linear(lambda w: nn.init.normal_(w, 0.0, 0.05)), "Linear", "weight"),
    "the data": (lambda: linear(set_to(0.1)), "Linear", "weight"),
    "a bias": (lambda: linear(nn.init.ones_, "bias"), "Linear", "bias"),
    "a norm": (lambda: nn.LayerNorm(4).apply(lambda m: nn.init.zeros_(m.weight)), "LayerNorm", "weight"),
    "a parameter of one's own": (lambda: Factor(torch.ones(4)), "Factor", "factor"),
}
HEEDED = {
    "torch's own layers": lambda: nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.PReLU()),
    "what the engine does": lambda: linear(lambda w: nn.init.normal_(w, 0.0, 0.02)),
    "a bias of 0": lambda: linear(nn.init.zeros_, "bias"),
    "no numbers": lambda: Factor(torch.empty(4)),
    "batchnorm": lambda: FeatureNorm(4),
    "torch's way": lambda: linear(lambda w: None).apply(lambda m: m.reset_parameters()),
}


@pytest.mark.parametrize("side", PLACES)
@pytest.mark.parametrize("kind", IGNORED)
def test_an_initialisation_that_would_be_ignored_is_refused(check, side, kind) -> None:
    layer, name, parameter = IGNORED[kind]
    network = generator_with(layer) if side == "generator" else discriminator_with(layer)
    assert refusal(check, **{side: network}) == (
        f"{side}: {PLACES[side][1]} ({name}) sets what {parameter} starts at, but every run draws its own "
        "weights; leave that to it (torch.empty makes a parameter without), or give the layer the attribute "
        "initial_value"
    )


@pytest.mark.parametrize("kind", HEEDED)
def test_what_starts_as_the_engine_draws_it_passes(check, kind) -> None:
    check(generator_with(HEEDED[kind]))


def test_what_mixes_rows_says_so(check) -> None:
    check(discriminator=discriminator_with(lambda: BatchMean(told=True)))
    check(generator_with(lambda: BatchMean(told=False)))  # a generator's batch is always all fake
    found = refusal(check, discriminator=discriminator_with(lambda: BatchMean(told=False)))
    assert found == (
        "discriminator: an image's logit depends on the rest of its batch: give the layer that looks there "
        "the attribute mixes_rows = True, so that real and generated images pass it separately"
    )


def test_both_networks_give_the_shapes_that_are_wanted(check) -> None:
    def flat(config, image) -> nn.Module:
        return nn.Linear(config.latent_dim, image.pixels)

    assert refusal(check, flat) == "generator: gives the shape [4, 2] where [4, 2, 1, 1] is wanted"

    def column(config, image) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(image.pixels, 1))

    found = refusal(check, discriminator=column, packing=2)
    assert found == "discriminator: gives the shape [4, 1] where [4] is wanted"

    def pair_of_numbers(config, image) -> nn.Module:
        return nn.Sequential(column(config, image), Function(lambda x: (x, x)))

    found = refusal(check, discriminator=pair_of_numbers)
    assert found == "discriminator: gives a tuple, not a tensor of shape [4]"


def test_builders_build_modules_with_parameters(check) -> None:
    def broken(config, image) -> nn.Module:
        raise KeyError("depth\nof the network")

    def of_known_values(config, image) -> nn.Module:
        return nn.Linear(image.pixels, 1 + int(torch.zeros(1)))

    on_meta = "cannot be built on torch's meta device"
    assert refusal(check, broken).startswith(f"generator: {on_meta}: KeyError: ")
    assert refusal(check, discriminator=of_known_values).startswith(
        f"discriminator: {on_meta}: RuntimeError: "
    )
    found = refusal(check, discriminator=lambda config, image: torch.relu)
    assert found == "discriminator: the builder gives a builtin_function_or_method, not an nn.Module"
    found = refusal(check, lambda config, image: Function(lambda z: z[:, :2, None, None]))
    assert found == "generator: has no parameters to train"


def test_switches_are_those_of_the_generators_buffers(check) -> None:
    unpool = ARCHITECTURES["unpool"]
    flags = {"image": MNIST, "convolutional": True, "switches": True}
    check(unpool.generator, unpool.discriminator, **flags)
    found = refusal(check, unpool.generator, discriminator_with(), **flags)
    assert found == "discriminator: switches: AttributeError: 'Shaped' object has no attribute 'switches'"

    class Dropping(nn.Module):
        """Its switches would need a mask, which they are not given."""

        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network, self.mask = network, MaskDropout(1, 28, 28)

        def forward(self, images: Tensor) -> Tensor:
            return self.network(self.mask(images))

        def switches(self, images: Tensor) -> dict[str, Tensor]:
            return self.network.switches(self.mask(images))

    found = refusal(check, unpool.generator, lambda *a: Dropping(unpool.discriminator(*a)), **flags)
    assert found.startswith("discriminator: switches: ")

    def narrow(config, image) -> nn.Module:
        return unpool.discriminator(config.model_copy(update={"width": 4}), image)

    found = refusal(check, unpool.generator, narrow, **flags)
    assert found == (
        "discriminator: switches: gives {'body.finer.indices': (4, 4, 14, 14), "
        "'body.coarser.indices': (4, 8, 7, 7)} for 4 images; the generator's buffers: "
        "{'body.coarser.indices': (4, 16, 7, 7), 'body.finer.indices': (4, 8, 14, 14)}"
    )
