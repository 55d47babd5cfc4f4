from __future__ import annotations

import pytest
import torch
from small_networks import count, make_config, networks, normal
from torch import nn
from torch.func import functional_call

from stability.errors import StabilityError
from stability.gan.networks import ARCHITECTURES, ImageShape, Switches, Unpool

NAMES = ["body.coarser.indices", "body.finer.indices"]


def test_numbers_go_where_the_maxima_were() -> None:
    image = torch.tensor(
        [
            [9.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 8.0],
            [0.0, 7.0, 0.0, 0.0],
            [0.0, 0.0, 6.0, 0.0],
        ]
    )
    _, indices = nn.MaxPool2d(2, return_indices=True)(image[None, None])
    layer = Unpool(1, 2)
    layer.indices = indices
    found = layer(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
    wanted = torch.zeros(4, 4)
    wanted[0, 0], wanted[1, 3], wanted[2, 1], wanted[3, 2] = 1.0, 2.0, 3.0, 4.0
    assert torch.equal(found[0, 0], wanted)


def test_unless_filled_numbers_go_to_the_top_left_of_their_windows() -> None:
    found = Unpool(2, 3)(torch.ones(4, 2, 3, 3))
    assert torch.equal(found[..., ::2, ::2], torch.ones(4, 2, 3, 3))
    assert found.sum() == 4 * 2 * 9


def test_it_equals_torchs_with_its_gradient() -> None:
    pooled, indices = nn.MaxPool2d(2, return_indices=True)(normal(3, 5, 8, 8))
    layer = Unpool(5, 4)
    layer.indices = indices
    x = pooled.requires_grad_()
    slopes = []
    for out in (layer(x), nn.MaxUnpool2d(2)(x, indices)):
        slopes.append(torch.autograd.grad((out * normal(3, 5, 8, 8, seed=1)).sum(), x)[0])
    assert torch.equal(layer(x), nn.MaxUnpool2d(2)(x, indices))
    assert torch.equal(*slopes)


@pytest.mark.parametrize(
    ("batchnorm", "size_g", "size_d"),
    [
        ("none", 8624 + 3208 + 201, 208 + 3216 + 785),
        ("both", 7840 + 32 + 3200 + 16 + 201, 208 + 3200 + 32 + 785),
    ],
)
def test_sizes(batchnorm, size_g, size_d) -> None:
    generator, discriminator = networks(make_config(architecture="unpool", batchnorm=batchnorm))
    assert (count(generator), count(discriminator)) == (size_g, size_d)


@pytest.mark.parametrize("batchnorm", ["none", "both"])
@pytest.mark.parametrize("packing", [1, 2])
@pytest.mark.parametrize("size", [28, 32, 64])
def test_switches_fill_the_generators_buffers(size, packing, batchnorm) -> None:
    config = make_config(architecture="unpool", packing=packing, batchnorm=batchnorm, dropout=0.2)
    generator, discriminator = networks(config, ImageShape(1, size))
    images = normal(3, packing, size, size)
    switches = discriminator.switches(images)
    assert sorted(switches) == NAMES == [name for name, _ in generator.named_buffers()]
    for name, buffer in generator.named_buffers():
        assert switches[name].shape == (3, *buffer.shape[1:])
        assert switches[name].dtype == buffer.dtype == torch.int64
        assert not torch.equal(switches[name][0], switches[name][1])
    z = normal(3, 10)
    filled = functional_call(generator, switches, (z,))
    assert filled.shape == (3, 1, size, size)
    assert not torch.allclose(filled, generator(z), rtol=0, atol=1e-9)


def test_switches_are_the_places_of_the_forward_passs_maxima() -> None:
    _, discriminator = networks(make_config(architecture="unpool"))
    images = normal(3, 1, 28, 28)
    switches = discriminator.switches(images)
    poolings: list[tuple[torch.Tensor, torch.Tensor]] = []
    for part in discriminator.modules():
        if isinstance(part, nn.MaxPool2d):
            part.register_forward_hook(lambda _, inputs, out: poolings.append((inputs[0], out)))
    discriminator(images)
    for name, (before, after) in zip(reversed(NAMES), poolings, strict=True):
        picked = before.flatten(2).gather(2, switches[name].flatten(2)).reshape(after.shape)
        assert torch.equal(picked, after)


def test_switches_of_one_image_place_one_generated_image() -> None:
    generator, discriminator = networks(make_config(architecture="unpool", batchnorm="none"))
    images, z = normal(3, 1, 28, 28), normal(3, 10)
    first = functional_call(generator, discriminator.switches(images), (z,))
    images[1] = normal(1, 28, 28, seed=7)
    second = functional_call(generator, discriminator.switches(images), (z,))
    assert [torch.equal(a, b) for a, b in zip(first, second, strict=True)] == [True, False, True]


def test_switches_follow_weights_that_are_handed_in_but_not_dropout() -> None:
    _, discriminator = networks(make_config(architecture="unpool", dropout=0.5))
    images = normal(3, 1, 28, 28)
    wrapped = Switches(discriminator)
    own = discriminator.switches(images)
    for name, places in wrapped(images).items():
        assert torch.equal(places, own[name])
    flipped = {f"discriminator.{name}": -weight for name, weight in discriminator.named_parameters()}
    other = functional_call(wrapped, flipped, (images,))
    assert not any(torch.equal(other[name], own[name]) for name in NAMES)
    nothing = {"discriminator.body.3.mask": torch.zeros(3, 8, 14, 14)}
    dropped = functional_call(wrapped, nothing, (images,))
    assert all(torch.equal(dropped[name], own[name]) for name in NAMES)


@pytest.mark.parametrize("size", [1, 30])
def test_the_side_is_halved_twice(size) -> None:
    config, pair = make_config(architecture="unpool"), ARCHITECTURES["unpool"]
    for build in (pair.generator, pair.discriminator):
        with pytest.raises(StabilityError) as error:
            build(config, ImageShape(1, size))
        assert str(error.value) == (
            f"unpool: images of {size} pixels; allowed: multiples of 4, such as 28, 32, 64"
        )
