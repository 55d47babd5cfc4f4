from __future__ import annotations

import pytest
import torch
from cohorts import make_run
from torch import Tensor, nn
from torch.func import functional_call

from stability.gan.networks import ARCHITECTURES, ImageShape, MaskDropout, initial_weights
from stability.gan.training.stacked import StackedNetwork

K, BATCH = 3, 6
SHAPES = {"conditional": ImageShape(1, 28, 10), "maxout": ImageShape(2, 1), "dirac": ImageShape(1, 1)}
"""Of the images, where an architecture is not for those of MNIST without labels."""
CPU = torch.device("cpu")

CASES = [
    (architecture, side, batchnorm, dropout)
    for architecture in ARCHITECTURES
    for side, batchnorm, dropout in [
        ("generator", "none", 0.0),
        ("generator", "generator", 0.0),
        ("discriminator", "none", 0.3),
        ("discriminator", "discriminator", 0.3),
        ("discriminator", "none", 0.0),
    ]
]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def build(architecture: str, side: str, batchnorm: str = "none", dropout: float = 0.0) -> nn.Module:
    config = make_run(0, architecture=architecture, batchnorm=batchnorm, dropout=dropout).config
    return getattr(ARCHITECTURES[architecture], side)(config, shape_of(architecture))


def shape_of(architecture: str) -> ImageShape:
    return SHAPES.get(architecture, ImageShape(1, 28))


def weights_of(template: nn.Module, seed: int) -> dict[str, Tensor]:
    """Initial weights with the biases moved off zero, five times as large."""
    drawn = initial_weights(template, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return {
        name: 5 * value + 0.1 * normal(*value.shape, seed=100 * seed + i)
        for i, (name, value) in enumerate(drawn.items())
    }


def stack(template: nn.Module, weights: list[dict[str, Tensor]], *, fused: bool) -> StackedNetwork:
    return StackedNetwork(template, weights, device=CPU, fused=fused)


def some_input(side: str, architecture: str = "mlp") -> Tensor:
    image = shape_of(architecture)
    shape = (10 + image.classes,) if side == "generator" else (image.channels, image.size, image.size)
    return normal(K, BATCH, *shape)


def some_switches(template: nn.Module) -> dict[str, Tensor]:
    """For unpooling: every value to the first place of its 2 x 2 square."""
    return {
        name: first_places(K, BATCH, *buffer.shape[1:])
        for name, buffer in template.named_buffers()
        if name.endswith("indices")
    }


def first_places(members: int, batch: int, maps: int, height: int, width: int) -> Tensor:
    rows, columns = torch.arange(height)[:, None] * 2, torch.arange(width) * 2
    return (rows * width * 2 + columns).expand(members, batch, maps, height, width).clone()


def some_masks(template: nn.Module) -> dict[str, Tensor]:
    return {
        f"{path}.mask": (normal(K, BATCH, *part.shape, seed=8) > 0).double() * 2
        for path, part in template.named_modules()
        if isinstance(part, MaskDropout)
    }


def alone(template: nn.Module, weights: dict[str, Tensor], masks: dict[str, Tensor], x: Tensor) -> Tensor:
    return functional_call(template, (weights, masks), (x,))


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "unfused"])
@pytest.mark.parametrize(("architecture", "side", "batchnorm", "dropout"), CASES)
def test_values_and_gradients_are_those_of_the_single_modules(
    architecture, side, batchnorm, dropout, fused
) -> None:
    template = build(architecture, side, batchnorm, dropout).double()
    members = [weights_of(template, seed) for seed in range(K)]
    network = stack(template, members, fused=fused)
    x = some_input(side, architecture).requires_grad_()
    masks = some_masks(template) | some_switches(template)
    out = network(x, masks)
    slope = normal(*out.shape, seed=3)
    gradients = torch.autograd.grad((out * slope).sum(), [x, *network.parameters], allow_unused=True)
    gradients_by_name = dict(zip(["x", *network.leaves], gradients, strict=True))
    linear = {f"{path}.weight" for path, part in template.named_modules() if isinstance(part, nn.Linear)}
    for k, weights in enumerate(members):
        own = {name: value.clone().requires_grad_() for name, value in weights.items()}
        own_x = x[k].detach().requires_grad_()
        own_out = alone(template, own, {name: mask[k] for name, mask in masks.items()}, own_x)
        torch.testing.assert_close(out[k], own_out, rtol=1e-10, atol=1e-10)
        wanted = torch.autograd.grad((own_out * slope[k]).sum(), [own_x, *own.values()], allow_unused=True)
        for name, gradient in zip(["x", *own], wanted, strict=True):
            if gradient is None:  # dirac's generator does not look at z
                assert (architecture, side, name) == ("dirac", "generator", "x")
                assert gradients_by_name[name] is None
                continue
            found = gradients_by_name[name][k]
            found = found.t() if name in linear else found
            assert gradient.abs().max() > 0, name
            scale = float(gradient.abs().max())
            torch.testing.assert_close(found, gradient, rtol=1e-10, atol=1e-10 * scale, msg=name)


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "unfused"])
def test_members_do_not_touch_each_other(fused) -> None:
    template = build("mlp", "discriminator").double()
    members = [weights_of(template, seed) for seed in range(K)]
    x = some_input("discriminator")
    before = stack(template, members, fused=fused)(x)
    broken = {name: torch.full_like(value, torch.nan) for name, value in members[1].items()}
    network = stack(template, [members[0], broken, members[2]], fused=fused)
    after = network(x)
    assert torch.equal(after[[0, 2]], before[[0, 2]])
    assert after[1].isnan().all()
    for gradient in torch.autograd.grad(after.sum(), network.parameters):
        assert gradient[[0, 2]].isfinite().all()


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "unfused"])
def test_without_masks_there_is_no_dropout(fused) -> None:
    template, plain = build("mlp", "discriminator", dropout=0.3), build("mlp", "discriminator")
    network = stack(template, [weights_of(template, seed) for seed in range(K)], fused=fused)
    x = some_input("discriminator")
    names = [name for name, _ in plain.named_parameters()]
    for k, logits in enumerate(network(x)):
        weights = dict(zip(names, network.member_weights(k).values(), strict=True))
        torch.testing.assert_close(logits, alone(plain, weights, {}, x[k]))
    assert not torch.allclose(network(x, some_masks(template)), network(x))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("side", ["generator", "discriminator"])
def test_member_weights_come_back_as_they_were_given(architecture, side) -> None:
    template = build(architecture, side, "both")
    members = [weights_of(template, seed) for seed in range(K)]
    network = stack(template, members, fused=False)
    assert network.size == sum(p.numel() for p in template.parameters())
    for k, weights in enumerate(members):
        found = network.member_weights(k)
        assert list(found) == list(weights)
        for name, value in weights.items():
            assert torch.equal(found[name], value)
            assert found[name].is_contiguous()
        missing, unknown = template.double().load_state_dict(found, strict=False)
        assert set(missing) == {name for name, _ in template.named_buffers()}
        assert not unknown
    first = next(iter(found))
    found[first].zero_()  # a copy: the network keeps its own
    assert network.member_weights(K - 1)[first].any()


@pytest.mark.parametrize("batchnorm", ["none", "both"])
@pytest.mark.parametrize("side", ["generator", "discriminator"])
def test_gradients_arrive_in_the_layout_of_their_leaves(side, batchnorm) -> None:
    template = build("mlp", side, batchnorm)
    network = stack(template, [weights_of(template, seed) for seed in range(K)], fused=True)
    gradients = torch.autograd.grad(network(some_input(side)).square().sum(), network.parameters)
    parts = dict(template.named_modules())
    for (name, leaf), gradient in zip(network.leaves.items(), gradients, strict=True):
        layer = parts[name.rpartition(".")[0]]
        if isinstance(layer, nn.Linear) and name.endswith("weight"):
            assert leaf.shape == (K, layer.in_features, layer.out_features)
        assert leaf.is_contiguous()
        assert gradient.stride() == leaf.stride(), name


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "unfused"])
def test_select_keeps_members_in_the_order_asked(fused) -> None:
    template = build("mlp", "generator", "generator")
    network = stack(template, [weights_of(template, seed) for seed in range(K)], fused=fused)
    x = some_input("generator")
    out = network(x)
    wanted = {name: leaf.detach()[[2, 0]] for name, leaf in network.leaves.items()}
    network.select([2, 0])
    for name, leaf in network.leaves.items():
        assert torch.equal(leaf, wanted[name])
        assert leaf.is_leaf
        assert leaf.requires_grad
    assert torch.equal(network(x[[2, 0]]), out[[2, 0]])


def test_the_template_may_have_no_memory_of_its_own() -> None:
    with torch.device("meta"):
        template = build("dcgan", "discriminator", "discriminator", 0.2)
    real = build("dcgan", "discriminator", "discriminator", 0.2)
    weights = [weights_of(real, seed) for seed in range(K)]
    x = some_input("discriminator")
    assert torch.equal(stack(template, weights, fused=False)(x), stack(real, weights, fused=False)(x))
