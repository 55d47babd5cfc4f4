"""Small generators and discriminators of every architecture, with the data each is made for."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stability.gan.networks import NORMS, ImageShape, MaskDropout, find_pair, initial_weights
from stability.spec.config import Config

MNIST = ImageShape(1, 28)
POINTS = ImageShape(2, 1)
NATURAL = {
    "mlp": MNIST,
    "dcgan": MNIST,
    "conditional": ImageShape(1, 28, classes=3),
    "unpool": MNIST,
    "fully-connected": MNIST,
    "maxout": POINTS,
    "dirac": ImageShape(1, 1),
}
"""The data that each architecture is tried on."""
LAYERED = tuple(name for name in NATURAL if name != "dirac")
"""Those with hidden layers."""
WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def make_config(**parameters: object) -> Config:
    return Config.model_validate({"width": 8, "latent_dim": 10} | parameters)


def networks(config: Config, image: ImageShape | None = None) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator with their initial weights, on the data natural to them."""
    image = image or NATURAL[config.architecture]
    pair = find_pair(config.architecture)
    both = pair.generator(config, image), pair.discriminator(config, image.seen(config.packing))
    for seed, network in enumerate(both):
        weights = initial_weights(network, generator=torch.Generator().manual_seed(seed))
        network.load_state_dict(weights | dict(network.named_buffers()))
    return both


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def some_z(config: Config, rows: int, **options: object) -> Tensor:
    return normal(rows, config.latent_dim + NATURAL[config.architecture].classes, **options)


def some_images(config: Config, rows: int, **options: object) -> Tensor:
    """What the architecture's discriminator sees."""
    seen = NATURAL[config.architecture].seen(config.packing)
    return normal(rows, seen.channels, seen.size, seen.size, **options)


def leaves(network: nn.Module) -> list[nn.Module]:
    return [part for part in network.modules() if not list(part.children())]


def weighted(network: nn.Module) -> list[nn.Module]:
    return [part for part in leaves(network) if isinstance(part, WEIGHTED)]


def masks(network: nn.Module) -> list[MaskDropout]:
    return [part for part in leaves(network) if isinstance(part, MaskDropout)]


def count(network: nn.Module) -> int:
    """Numbers to train."""
    return sum(parameter.numel() for parameter in network.parameters())


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
