"""What `stability.Monitor` costs a loop that is not ours: a plain DCGAN, by itself and monitored."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.naive import dcgan, loss_d, loss_g
from benchmarks.settings import Settings
from benchmarks.table import Sample, Section, Target
from stability import Monitor
from stability.gan.data.datasets import load_dataset, to_unit
from stability.spec.config import Config

CONFIG, QUICK_CONFIG = Config(architecture="dcgan"), Config(architecture="dcgan", width=8, batch_size=16)
EVERY, VISIT = 10, 500
"""The monitor's defaults: steps between records, and between visits."""
SAMPLES, QUICK_SAMPLES = 1024, 16
MOST = Target(0.05, "most")


class Loop:
    """The DCGAN of `benchmarks.naive`, in float32 and with nothing but the training in its step."""

    def __init__(self, config: Config, device: torch.device) -> None:
        self.config, self.device = config, device
        generator, discriminator = dcgan(config)
        self.generator, self.discriminator = generator.to(device), discriminator.to(device)
        self.optimizers = [
            torch.optim.Adam(network.parameters(), 2e-4, betas=(0.5, 0.999))
            for network in (self.generator, self.discriminator)
        ]
        self.images = load_dataset("mnist", device=device).train[:10_000]

    def sample(self, n: int) -> Tensor:
        """Generated images."""
        images: Tensor = self.generator(torch.randn(n, self.config.latent_dim, 1, 1, device=self.device))
        return images

    def step(self) -> dict[str, Tensor]:
        """One step, and what a loop has in its variables then."""
        n = self.config.batch_size
        real = to_unit(self.images[torch.randint(len(self.images), (n,), device=self.device)])
        fake = self.sample(n)
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake.detach())
        of_d = loss_d("non-saturating", real_logits, fake_logits)
        self._descend(1, of_d)
        of_g = loss_g("non-saturating", self.discriminator(fake))
        self._descend(0, of_g)
        return {"loss_d": of_d, "loss_g": of_g, "real_logits": real_logits, "fake_logits": fake_logits}

    def _descend(self, which: int, loss: Tensor) -> None:
        self.optimizers[which].zero_grad()
        torch.autograd.backward(loss)
        self.optimizers[which].step()


def monitor_section(settings: Settings, scratch: Path) -> Section:
    """The share of a step that records and visits take at the defaults, by the processor's own time."""
    config = settings.sized(CONFIG, QUICK_CONFIG)
    loop, samples = Loop(config, torch.device(settings.device)), settings.sized(SAMPLES, QUICK_SAMPLES)
    options: dict[str, Any] = {
        "generator": loop.generator,
        "discriminator": loop.discriminator,
        "every": EVERY,
    }
    clock = time.process_time if settings.is_cpu else time.perf_counter
    plain, recorded, visits = [], [], []
    with Monitor(scratch / "records", evaluate_every=10**9, **options) as records:
        for _ in range(settings.rounds + 1):
            plain.append(_seconds(loop.step, clock))
            recorded.append(_seconds(lambda: records.step(**loop.step()), clock))
    with Monitor(
        scratch / "visits", evaluate_every=1, samples=samples, real=loop.images, sample=loop.sample, **options
    ) as visitor:
        for _ in range(settings.rounds + 1):
            told = loop.step()
            start = clock()
            visitor.step(**told)
            visits.append(clock() - start)
    step = Sample(tuple(seconds / EVERY for seconds in plain[1:]))  # the first round of each warms up
    of_records = Sample(tuple(seconds / EVERY for seconds in recorded[1:])).over(step).each(lambda x: x - 1)
    of_visits = Sample(tuple(visits[1:])).over(step).each(lambda x: x / VISIT)
    both = Sample(tuple(a + b for a, b in zip(of_records.values, of_visits.values, strict=True)))
    section = Section("Monitor")
    section.say(
        f"A plain DCGAN of width {config.width}, batches of {config.batch_size}, under `stability.Monitor`: "
        f"a record every {EVERY} steps, a visit of {samples:,} samples every {VISIT}. A step alone takes "
        f"{step.each(lambda s: 1_000 * s).text(1)} ms, a visit {Sample(tuple(visits[1:])).text(2)} s."
    )
    section.tabulate(
        ["What", "Share of a step"],
        [
            ["records", of_records.text(4)],
            ["visits", of_visits.text(4)],
            ["both", section.judged(both, MOST, "the monitor's share", why="visits cost most")],
        ],
    )
    return section


def _seconds(step: Callable[[], object], clock: Callable[[], float]) -> float:
    """As many steps as there are from one record to the next."""
    start = clock()
    for _ in range(EVERY):
        step()
    return clock() - start
