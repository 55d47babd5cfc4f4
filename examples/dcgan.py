"""A DCGAN on MNIST, in the form of PyTorch's own example, under `stability.Monitor`.

On a GPU where there is one.
`python examples/dcgan.py`, then `stability report results/dcgan`.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.utils.data import DataLoader, TensorDataset

import stability
from stability.gan.data import load_dataset


def options(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--niter", type=int, default=5, help="epochs")
    parser.add_argument("--batchSize", type=int, default=64)
    parser.add_argument("--nz", type=int, default=100)
    parser.add_argument("--ngf", type=int, default=64)
    parser.add_argument("--ndf", type=int, default=64)
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--beta1", type=float, default=0.5)
    parser.add_argument("--manualSeed", type=int, default=0)
    parser.add_argument("--outf", default="results/dcgan")
    return parser.parse_args(words)


def net_g(nz: int, ngf: int) -> nn.Module:
    """From z `[n, nz, 1, 1]` to images of 32 x 32."""
    widths = [ngf * 4, ngf * 2, ngf]
    layers: list[nn.Module] = [nn.ConvTranspose2d(nz, widths[0], 4, bias=False)]
    for width, finer in zip(widths, [*widths[1:], 1], strict=True):
        layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.ConvTranspose2d(width, finer, 4, 2, 1, bias=False)]
    return nn.Sequential(*layers, nn.Tanh())


def net_d(ndf: int) -> nn.Module:
    """Images to logits `[n]`, whose sigmoid is in the loss."""
    layers: list[nn.Module] = [nn.Conv2d(1, ndf, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
    for width in (ndf, ndf * 2):
        layers += [
            nn.Conv2d(width, width * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width * 2),
            nn.LeakyReLU(0.2),
        ]
    return nn.Sequential(*layers, nn.Conv2d(ndf * 4, 1, 4, bias=False), nn.Flatten(0))


def weights_init(module: nn.Module) -> None:
    """As the DCGAN paper has it."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def train(opt: argparse.Namespace, images: Tensor) -> stability.Monitor:
    """Train on images in -1..1; the loop is as it was, but for the lines with `monitor`."""
    torch.manual_seed(opt.manualSeed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    g, d = (net.apply(weights_init).to(device) for net in (net_g(opt.nz, opt.ngf), net_d(opt.ndf)))
    optimizer_d, optimizer_g = (
        torch.optim.Adam(net.parameters(), lr=opt.lr, betas=(opt.beta1, 0.999)) for net in (d, g)
    )
    criterion = nn.BCEWithLogitsLoss()
    loader = DataLoader(TensorDataset(images), batch_size=opt.batchSize, shuffle=True)

    def sample(n: int) -> Tensor:
        made: Tensor = g(torch.randn(n, opt.nz, 1, 1, device=device))
        return made

    with stability.Monitor(
        opt.outf, generator=g, discriminator=d, real=images, sample=sample, config=vars(opt), sigmoid=True
    ) as monitor:
        for _ in range(opt.niter):
            for (batch,) in loader:
                real = batch.to(device)
                ones, zeros = real.new_ones(len(real)), real.new_zeros(len(real))

                d.zero_grad()
                d_real = d(real)
                loss_real = criterion(d_real, ones)
                loss_real.backward()
                fake = sample(len(real))
                d_fake = d(fake.detach())
                loss_fake = criterion(d_fake, zeros)
                loss_fake.backward()
                optimizer_d.step()

                g.zero_grad()
                loss_g = criterion(d(fake), ones)
                loss_g.backward()
                optimizer_g.step()

                monitor.step(
                    loss_d=loss_real + loss_fake, loss_g=loss_g, real_logits=d_real, fake_logits=d_fake
                )
    return monitor


def main() -> None:
    """Train on the MNIST that comes with the package, with a black edge of two pixels."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    images = load_dataset("mnist", device=torch.device("cpu")).train / 127.5 - 1
    train(options(), pad(images, (2, 2, 2, 2), value=-1))


if __name__ == "__main__":
    main()
