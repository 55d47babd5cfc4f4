"""What one would write instead: a script that trains one GAN at a time, and Optuna around it.

A `DataLoader` over torchvision's data set and transforms, plain modules, torch's own losses, Adam as it
comes, `.item()` and a printed line each step. Networks, losses, batch size and learning rates are those of
the configuration that it is compared with; nothing is recorded but the losses.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TextIO

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision.datasets import MNIST
from torchvision.transforms import Compose, Normalize, ToTensor

from stability.gan.data.datasets import load_dataset
from stability.spec.config import Config

CPU = torch.device("cpu")


def write_mnist(root: Path) -> Path:
    """Write the embedded MNIST where torchvision looks for it; return the root that its data set takes."""
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    dataset = load_dataset("mnist", device=torch.device("cpu"))
    parts = {"train": (dataset.train, dataset.train_labels), "t10k": (dataset.test, dataset.test_labels)}
    for part, (images, labels) in parts.items():
        header = struct.pack(">4i", 2051, len(images), 28, 28)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + images.numpy().tobytes())
        header = struct.pack(">2i", 2049, len(labels))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(header + labels.byte().numpy().tobytes())
    return root


def batches(root: Path, batch_size: int) -> Iterator[Tensor]:
    """Real images for ever, epoch after epoch."""
    transform = Compose([ToTensor(), Normalize([0.5], [0.5])])
    dataset = MNIST(root, train=True, transform=transform)
    loader = DataLoader(dataset, batch_size=batch_size, shuffle=True, drop_last=True)
    while True:
        for images, _ in loader:
            yield images


# --- networks -------------------------------------------------------------------------------------------


def _norm_1d(use: bool, features: int) -> list[nn.Module]:
    return [nn.BatchNorm1d(features)] if use else []


def _norm_2d(use: bool, maps: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(maps)] if use else []


def mlp(config: Config) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator of fully connected layers."""
    norm_g, norm_d = config.batchnorm in ("generator", "both"), config.batchnorm in ("discriminator", "both")
    width = config.width
    generator: list[nn.Module] = []
    for fan_in, fan_out in pairwise([config.latent_dim, width, 2 * width, 4 * width, 8 * width]):
        generator += [nn.Linear(fan_in, fan_out, bias=not norm_g), *_norm_1d(norm_g, fan_out)]
        generator += [nn.LeakyReLU(0.2)]
    generator += [nn.Linear(8 * width, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28))]
    discriminator: list[nn.Module] = [nn.Flatten()]
    for depth, (fan_in, fan_out) in enumerate(pairwise([784, 8 * width, 4 * width, 2 * width])):
        norm = norm_d and depth > 0
        discriminator += [nn.Linear(fan_in, fan_out, bias=not norm), *_norm_1d(norm, fan_out)]
        discriminator += [nn.LeakyReLU(0.2)]
    discriminator += [nn.Linear(2 * width, 1), nn.Flatten(0)]
    return nn.Sequential(*generator), nn.Sequential(*discriminator)


def dcgan(config: Config) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator of strided convolutions."""
    norm_g, norm_d = config.batchnorm in ("generator", "both"), config.batchnorm in ("discriminator", "both")
    width = config.width
    generator = nn.Sequential(
        nn.ConvTranspose2d(config.latent_dim, 2 * width, 7, 1, 0, bias=not norm_g),
        *_norm_2d(norm_g, 2 * width),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=not norm_g),
        *_norm_2d(norm_g, width),
        nn.ReLU(),
        nn.ConvTranspose2d(width, 1, 4, 2, 1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, width, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, 2, 1, bias=not norm_d),
        *_norm_2d(norm_d, 2 * width),
        nn.LeakyReLU(0.2),
        nn.Conv2d(2 * width, 1, 7, 1, 0),
        nn.Flatten(0),
    )
    return generator, discriminator


NETWORKS: dict[str, Callable[[Config], tuple[nn.Module, nn.Module]]] = {"mlp": mlp, "dcgan": dcgan}

# --- losses ---------------------------------------------------------------------------------------------


def _cross_entropy(logits: Tensor, target: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


TRAINED = ("minimax", "non-saturating", "least-squares", "hinge", "wasserstein")
"""The losses that this loop knows."""


def loss_d(loss: str, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """What the discriminator minimises."""
    if loss in ("minimax", "non-saturating"):
        return _cross_entropy(real_logits, 1.0) + _cross_entropy(fake_logits, 0.0)
    if loss == "least-squares":
        real = functional.mse_loss(real_logits, torch.ones_like(real_logits))
        return (real + functional.mse_loss(fake_logits, torch.zeros_like(fake_logits))) / 2
    if loss == "hinge":
        return torch.relu(1 - real_logits).mean() + torch.relu(1 + fake_logits).mean()
    return fake_logits.mean() - real_logits.mean()


def loss_g(loss: str, fake_logits: Tensor) -> Tensor:
    """What the generator minimises."""
    if loss == "minimax":
        return -_cross_entropy(fake_logits, 0.0)
    if loss == "non-saturating":
        return _cross_entropy(fake_logits, 1.0)
    if loss == "least-squares":
        return functional.mse_loss(fake_logits, torch.ones_like(fake_logits)) / 2
    return -fake_logits.mean()


def gradient_penalty(discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """(|grad D| - 1)^2 at random mixes of real and fake."""
    alpha = torch.rand(real.size(0), 1, 1, 1, device=real.device)
    mixes = (alpha * real + (1 - alpha) * fake).requires_grad_(True)
    logits = discriminator(mixes)
    gradients = torch.autograd.grad(
        logits, mixes, grad_outputs=torch.ones_like(logits), create_graph=True, retain_graph=True
    )[0]
    penalty: Tensor = ((gradients.flatten(1).norm(2, dim=1) - 1) ** 2).mean()
    return penalty


# --- the loop -------------------------------------------------------------------------------------------


class NaiveGan:
    """One model and its loop."""

    def __init__(
        self, config: Config, images: Iterator[Tensor], log: TextIO, device: torch.device = CPU
    ) -> None:
        self.config, self.images, self.log, self.device = config, images, log, device
        generator, discriminator = NETWORKS[config.architecture](config)
        self.generator, self.discriminator = generator.to(device), discriminator.to(device)
        betas = (config.beta1, config.beta2)
        self.optimizer_g = torch.optim.Adam(self.generator.parameters(), lr=config.generator.lr, betas=betas)
        self.optimizer_d = torch.optim.Adam(
            self.discriminator.parameters(), lr=config.discriminator.lr, betas=betas
        )
        self.history: list[tuple[float, float]] = []
        self.channels_first_z = config.architecture == "dcgan"

    def noise(self, n: int) -> Tensor:
        """Latent points in the shape that the generator takes."""
        z = torch.randn(n, self.config.latent_dim, device=self.device)
        return z[:, :, None, None] if self.channels_first_z else z

    def train(self, steps: int) -> None:
        """Take that many generator updates, each after `n_dis` discriminator updates."""
        for _ in range(steps):
            for _ in range(self.config.n_dis):
                real = next(self.images).to(self.device)
                loss = self._discriminator_step(real)
            self.optimizer_g.zero_grad()
            own = loss_g(self.config.loss, self.discriminator(self.generator(self.noise(len(real)))))
            own.backward()  # type: ignore[no-untyped-call]
            self.optimizer_g.step()
            self.history.append((loss.item(), own.item()))
            print(f"[step {len(self.history)}] [D loss: {loss.item()}] [G loss: {own.item()}]", file=self.log)

    def _discriminator_step(self, real: Tensor) -> Tensor:
        self.optimizer_d.zero_grad()
        fake = self.generator(self.noise(len(real))).detach()
        loss = loss_d(self.config.loss, self.discriminator(real), self.discriminator(fake))
        if self.config.penalty == "gradient-penalty":
            penalty = gradient_penalty(self.discriminator, real, fake)
            loss = loss + self.config.penalty_weight * penalty
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer_d.step()
        return loss
