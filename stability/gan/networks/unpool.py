"""A convolutional pair whose generator un-pools where the discriminator found its maxima on real images.

Each example that the generator makes thus takes the places of strong features from one real image. The pair
is known to be unstable, and is here to be studied. The discriminator's `switches` gives the places of a
batch by the names of the generator's buffers, which the engine fills like the dropout masks.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from stability.errors import StabilityError
from stability.gan.networks.activations import hidden
from stability.gan.networks.layers import (
    MaskDropout,
    MinibatchStd,
    Shaped,
    dropout,
    inputs,
    needs_bias,
    norm_2d,
)
from stability.gan.networks.pair import ImageShape, Pair
from stability.spec.config import Config

KERNEL, PADDING = 5, 2


class Unpool(nn.Module):
    """Grids of twice the side, zero but where the buffer `indices` puts each number, rows as in the batch.

    The indices are those of `nn.MaxPool2d(2, return_indices=True)`: row-major places in the larger grid.
    Unless filled, each number goes to the top left of its window. A scatter equals `nn.MaxUnpool2d` and,
    unlike it, is deterministic on every device.
    """

    indices: Tensor

    def __init__(self, maps: int, side: int) -> None:
        super().__init__()
        corners = 4 * side * torch.arange(side)[:, None] + 2 * torch.arange(side)
        self.register_buffer("indices", corners.expand(1, maps, side, side).clone())

    def forward(self, x: Float[Tensor, "batch maps h w"]) -> Float[Tensor, "batch maps 2*h 2*w"]:
        """Scatter every map."""
        batch, maps, height, width = x.shape
        places = self.indices.expand(batch, -1, -1, -1).flatten(2)
        empty = x.new_zeros(batch, maps, 4 * height * width)
        return empty.scatter(2, places, x.flatten(2)).reshape(batch, maps, 2 * height, 2 * width)


class PoolingDiscriminator(Shaped):
    """A discriminator with two max-poolings, which can tell where they found the maxima."""

    def switches(self, images: Float[Tensor, "batch c h w"]) -> dict[str, Int64[Tensor, "batch _ _ _"]]:
        """The maxima's places in the finer and in the coarser grid, by the generator's buffer names.

        Dropout is left out, so that the places are a function of the images and the weights.
        """
        names = iter(["body.finer.indices", "body.coarser.indices"])
        places: dict[str, Tensor] = {}
        x = images
        with torch.no_grad():
            for part in self.body:
                if isinstance(part, nn.MaxPool2d):
                    x, places[next(names)] = max_pool2d(x, 2, return_indices=True)
                elif not isinstance(part, MaskDropout):
                    x = part(x)
        return places


class Switches(nn.Module):
    """A discriminator whose forward pass is its `switches`, for `functional_call`.

    Parameters are named as in the discriminator, after the prefix `discriminator.`.
    """

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """The generator's buffers for this batch."""
        return cast(dict[str, Tensor], cast(Any, self.discriminator).switches(images))


def _sides(config: Config, image: ImageShape) -> tuple[int, int]:
    """Side lengths after one and after two poolings."""
    if image.size % 4:
        allowed = "multiples of 4, such as 28, 32, 64"
        raise StabilityError(f"{config.architecture}: images of {image.size} pixels; allowed: {allowed}")
    return image.size // 2, image.size // 4


def _generator(config: Config, image: ImageShape) -> nn.Module:
    own = config.generator
    norm, bias = own.norm, needs_bias(own.norm)
    finer, coarser = _sides(config, image)
    few, many = own.width, 2 * own.width
    to_coarser = [
        nn.Linear(inputs(config, image), many * coarser**2, bias=bias),
        nn.Unflatten(1, (many, coarser, coarser)),
        *norm_2d(norm, many),
        hidden(own, "relu"),
        *dropout(own, many, coarser, coarser),
    ]
    to_finer = [
        nn.ConvTranspose2d(many, few, KERNEL, 1, PADDING, bias=bias),
        *norm_2d(norm, few),
        hidden(own, "relu"),
        *dropout(own, few, finer, finer),
    ]
    to_image = [nn.ConvTranspose2d(few, image.channels, KERNEL, 1, PADDING), nn.Tanh()]
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        start=nn.Sequential(*to_coarser),
        coarser=Unpool(many, coarser),
        middle=nn.Sequential(*to_finer),
        finer=Unpool(few, finer),
        end=nn.Sequential(*to_image),
    )
    return Shaped(nn.Sequential(layers), (image.channels, image.size, image.size))


def _discriminator(config: Config, image: ImageShape) -> nn.Module:
    own = config.discriminator
    finer, coarser = _sides(config, image)
    few, many = own.width, 2 * own.width
    told = [MinibatchStd(maps=True)] if config.minibatch_std else []
    layers = [
        nn.Conv2d(image.channels, few, KERNEL, 1, PADDING),
        hidden(own, "leaky-relu"),
        nn.MaxPool2d(2),
        *dropout(own, few, finer, finer),
        nn.Conv2d(few, many, KERNEL, 1, PADDING, bias=needs_bias(own.norm)),
        *norm_2d(own.norm, many),
        hidden(own, "leaky-relu"),
        nn.MaxPool2d(2),
        *dropout(own, many, coarser, coarser),
        *told,
        nn.Flatten(),
        nn.Linear((many + len(told)) * coarser**2, 1),
    ]
    return PoolingDiscriminator(nn.Sequential(*layers), ())


UNPOOL = Pair(_generator, _discriminator, convolutional=True, switches=True)
