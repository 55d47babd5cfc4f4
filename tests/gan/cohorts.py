"""Runs and images for the engine's tests."""

from __future__ import annotations

import torch
from torch import Tensor

from stability.gan.training.cohort import Cohort
from stability.gan.training.placement import Placement
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


def some_labels(n: int = 64, classes: int = 10) -> Tensor:
    return torch.arange(n) % classes


def some_points(n: int = 64) -> Tensor:
    """Points of a plane, as images of one pixel and two channels."""
    return torch.randn(n, 2, 1, 1, generator=torch.Generator().manual_seed(5))
