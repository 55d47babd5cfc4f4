"""Runs, images and a plain training loop for the engine's tests."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stability.gan.cohort import Cohort, Placement
from stability.gan.networks import ARCHITECTURES, ImageShape, initial_weights
from stability.gan.streams import Streams, stream
from stability.spec.config import Config, Run

CPU = Placement(torch.device("cpu"))
CPU64 = Placement(torch.device("cpu"), torch.float64)


def make_run(seed: int, **parameters: object) -> Run:
    config = Config.model_validate({"width": 8, "batch_size": 16, "latent_dim": 10, "lr": 1e-3} | parameters)
    name = f"r{seed}-{config.loss}"
    return Run(run=name, point=seed, trial=name, replicate=0, seed=seed, config=config, levels={})


def some_images(n: int = 64, size: int = 28, channels: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (n, channels, size, size), dtype=torch.uint8, generator=generator)


def train(cohort: Cohort, steps: int) -> dict[str, Tensor]:
    for _ in cohort.train(steps, record_every=10_000):
        pass
    return cohort.state()


class PlainLoop:
    """One GAN trained the way a textbook writes it: modules, two Adams, one model, the same draws."""

    def __init__(self, run: Run, images: Tensor) -> None:
        self.config = config = run.config
        pair = ARCHITECTURES[config.architecture]
        shape = ImageShape(images.shape[1], images.shape[2])
        self.g, self.d = pair.generator(config, shape).double(), pair.discriminator(config, shape).double()
        self.g.load_state_dict(initial_weights(self.g, generator=stream(run.seed, "init-generator")))
        masks = {name: mask for name, mask in self.d.named_buffers()}
        weights = initial_weights(self.d, generator=stream(run.seed, "init-discriminator"))
        self.d.load_state_dict(weights | masks)
        betas = (config.beta1, config.beta2)
        self.opt_g = torch.optim.Adam(self.g.parameters(), lr=config.lr_g, betas=betas)
        self.opt_d = torch.optim.Adam(self.d.parameters(), lr=config.lr_d, betas=betas)
        self.streams = Streams(run.seed)
        self.images = images.double() / 127.5 - 1

    def train(self, steps: int) -> None:
        for _ in range(steps):
            for _ in range(self.config.n_dis):
                self.discriminator_step()
            self.generator_step()

    def discriminator_step(self) -> None:
        config = self.config
        real = self.images[self.streams.indices(config.batch_size, len(self.images))]
        self.fake = self.g(self.streams.z(config.batch_size, config.latent_dim).double())
        real_logits, fake_logits = self.both(real, self.fake.detach())
        loss = discriminator_loss(config.loss, real_logits, fake_logits)
        if config.penalty == "gradient-penalty":
            loss = loss + config.penalty_weight * self.gradient_penalty(real, self.fake.detach())
        self.opt_d.zero_grad()
        loss.backward()
        self.opt_d.step()
        if config.weight_clip:
            for parameter in self.d.parameters():
                parameter.data.clamp_(-config.weight_clip, config.weight_clip)

    def generator_step(self) -> None:
        self.draw_masks(self.config.batch_size)
        loss = generator_loss(self.config.loss, self.d(self.fake))
        self.opt_g.zero_grad()
        loss.backward()
        self.opt_g.step()

    def both(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        if self.config.batchnorm in ("discriminator", "both"):
            self.draw_masks(len(real))
            real_logits = self.d(real)
            self.draw_masks(len(real))
            return real_logits, self.d(fake)
        self.draw_masks(2 * len(real))
        return tuple(self.d(torch.cat([real, fake])).chunk(2))

    def gradient_penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        mix = self.streams.mix(len(real)).double().reshape(-1, 1, 1, 1)
        x = (mix * real + (1 - mix) * fake).requires_grad_()
        self.draw_masks(len(real))
        (gradient,) = torch.autograd.grad(self.d(x).sum(), x, create_graph=True)
        return ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()

    def draw_masks(self, rows: int) -> None:
        for module in self.d.modules():
            if hasattr(module, "mask"):
                module.mask = self.streams.mask((rows, *module.shape), self.config.dropout).double()


def discriminator_loss(name: str, real: Tensor, fake: Tensor) -> Tensor:
    """The textbook's formulas, written with probabilities where it writes probabilities."""
    bce = nn.functional.binary_cross_entropy_with_logits
    if name in ("minimax", "non-saturating"):
        return bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
    return {
        "least-squares": ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2,
        "hinge": torch.relu(1 - real).mean() + torch.relu(1 + fake).mean(),
        "wasserstein": fake.mean() - real.mean(),
    }[name]


def generator_loss(name: str, fake: Tensor) -> Tensor:
    return {
        "minimax": torch.log1p(-torch.sigmoid(fake)).mean(),
        "non-saturating": -torch.log(torch.sigmoid(fake)).mean(),
        "least-squares": ((fake - 1) ** 2).mean() / 2,
        "hinge": -fake.mean(),
        "wasserstein": -fake.mean(),
    }[name]
