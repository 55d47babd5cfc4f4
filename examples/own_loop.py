"""A small GAN on MNIST, trained by a loop that knows nothing of studies, under `stability.Monitor`.

`python examples/own_loop.py`, then `stability report results/plain-loop`; at `--lr 1e-2` it comes to harm.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

import stability
from stability.gan.data import load_dataset

LATENT, BATCH = 64, 64


def networks() -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator of a few dense layers."""
    generator = nn.Sequential(
        nn.Linear(LATENT, 128),
        nn.BatchNorm1d(128),
        nn.ReLU(),
        nn.Linear(128, 256),
        nn.BatchNorm1d(256),
        nn.ReLU(),
        nn.Linear(256, 784),
        nn.Tanh(),
        nn.Unflatten(1, (1, 28, 28)),
    )
    discriminator = nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 256),
        nn.LeakyReLU(0.2),
        nn.Linear(256, 128),
        nn.LeakyReLU(0.2),
        nn.Linear(128, 1),
    )
    return generator, discriminator


def train(
    folder: Path,
    lr: float,
    steps: int,
    *,
    seed: int,
    evaluate_every: int,
    drawn: Literal["random", "tpe"] | None = None,
) -> stability.Monitor:
    """Train one run; the loop is anybody's, but for the lines with `monitor`."""
    torch.manual_seed(seed)
    images = load_dataset("mnist", device=torch.device("cpu")).train
    generator, discriminator = networks()
    optimizer_g, optimizer_d = (
        torch.optim.Adam(network.parameters(), lr, betas=(0.5, 0.999))
        for network in (generator, discriminator)
    )

    def draw(n: int) -> Tensor:
        drawn: Tensor = generator(torch.randn(n, LATENT))
        return drawn

    with stability.Monitor(
        folder,
        run=f"lr{lr:g}-s{seed}",
        generator=generator,
        discriminator=discriminator,
        real=images,
        sample=draw,
        config={"loss": "non-saturating", "lr": lr, "seed": seed},
        evaluate_every=evaluate_every,
        drawn=drawn,
        stop_on=["diverged", "collapsed"],
    ) as monitor:
        for _ in range(steps):
            real = images[torch.randint(len(images), (BATCH,))] / 127.5 - 1
            fake = draw(BATCH)
            d_real, d_fake = discriminator(real), discriminator(fake.detach())
            loss_d = softplus(-d_real).mean() + softplus(d_fake).mean()
            optimizer_d.zero_grad()
            loss_d.backward()
            optimizer_d.step()
            loss_g = softplus(-discriminator(fake)).mean()
            optimizer_g.zero_grad()
            loss_g.backward()
            optimizer_g.step()
            monitor.step(loss_d=loss_d, loss_g=loss_g, real_logits=d_real, fake_logits=d_fake)
            if monitor.should_stop:
                break
    return monitor


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("results/plain-loop"))
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--steps", type=int, default=4_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluate-every", type=int, default=250)
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    train(asked.folder, asked.lr, asked.steps, seed=asked.seed, evaluate_every=asked.evaluate_every)


if __name__ == "__main__":
    main()
