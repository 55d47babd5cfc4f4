"""A GAN of dense layers on MNIST, in the form of the scripts that many begin with, under `stability.Monitor`.

Its discriminator ends in a sigmoid. Probabilities have the order of logits, and separation reads no more.
They are given as they are, and what the page calls logits are they.
`python examples/mlp_gan.py`, then `stability report results/mlp-gan`.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import stability
from stability.gan.data import load_dataset


def options(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n_epochs", type=int, default=20)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--b1", type=float, default=0.5)
    parser.add_argument("--b2", type=float, default=0.999)
    parser.add_argument("--latent_dim", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", default="results/mlp-gan")
    return parser.parse_args(words)


def hidden(inputs: int, outputs: int) -> list[nn.Module]:
    """A layer of the generator."""
    return [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.LeakyReLU(0.2)]


def generator(opt: argparse.Namespace) -> nn.Module:
    """Dense layers that grow from z to an image."""
    layers = [nn.Linear(opt.latent_dim, 128), nn.LeakyReLU(0.2), *hidden(128, 256), *hidden(256, 512)]
    return nn.Sequential(
        *layers, *hidden(512, 1024), nn.Linear(1024, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28))
    )


def discriminator() -> nn.Module:
    """Dense layers from an image to the probability that it is real."""
    layers = [nn.Linear(784, 512), nn.LeakyReLU(0.2), nn.Linear(512, 256), nn.LeakyReLU(0.2)]
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(256, 1), nn.Sigmoid())


def train(opt: argparse.Namespace, images: Tensor) -> stability.Monitor:
    """Train on images in -1..1; the loop is as it was, but for the lines with `monitor`."""
    torch.manual_seed(opt.seed)
    g, d, bce = generator(opt), discriminator(), nn.BCELoss()
    optimizer_g = torch.optim.Adam(g.parameters(), lr=opt.lr, betas=(opt.b1, opt.b2))
    optimizer_d = torch.optim.Adam(d.parameters(), lr=opt.lr, betas=(opt.b1, opt.b2))
    loader = DataLoader(TensorDataset(images), batch_size=opt.batch_size, shuffle=True)

    def sample(n: int) -> Tensor:
        made: Tensor = g(torch.randn(n, opt.latent_dim))
        return made

    with stability.Monitor(
        opt.folder, generator=g, discriminator=d, real=images, sample=sample, config=vars(opt)
    ) as monitor:
        for _ in range(opt.n_epochs):
            for (real,) in loader:
                valid, fake = torch.ones(len(real), 1), torch.zeros(len(real), 1)

                optimizer_g.zero_grad()
                made = sample(len(real))
                loss_g = bce(d(made), valid)
                loss_g.backward()
                optimizer_g.step()

                optimizer_d.zero_grad()
                d_real, d_fake = d(real), d(made.detach())
                loss_d = (bce(d_real, valid) + bce(d_fake, fake)) / 2
                loss_d.backward()
                optimizer_d.step()

                monitor.step(loss_d=loss_d, loss_g=loss_g, real_logits=d_real, fake_logits=d_fake)
    return monitor


def main() -> None:
    """Train on the MNIST that comes with the package."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    train(options(), load_dataset("mnist", device=torch.device("cpu")).train / 127.5 - 1)


if __name__ == "__main__":
    main()
