"""What is trained for the clock: the cases, and a cohort and a naive loop of each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.crews import Work, synchronised
from benchmarks.naive import NaiveGan, batches
from benchmarks.table import Target
from stability.design.plan import COHORT_SIZES, DEFAULT_COHORT_SIZE
from stability.gan.data.datasets import load_dataset
from stability.gan.training.cohort import Cohort
from stability.gan.training.placement import Placement
from stability.runner.memory import keep_freed_memory
from stability.spec.config import Config, Run
from stability.spec.study import Compile

RECORD_EVERY = 10
"""A study's default."""
NEVER = 10**9


@dataclass(frozen=True, slots=True)
class Case:
    """A configuration and what is expected of its steps."""

    name: str
    config: Config
    ratio: Target
    """Naive's time over ours."""
    share: Target | None = None
    """The floor over our time."""


WGAN_GP = Config(architecture="mlp", width=64, loss="wasserstein", penalty="gradient-penalty", n_dis=5)
CASES = (
    Case("mlp, width 64", Config(architecture="mlp", width=64), Target(5), Target(0.6)),
    Case("mlp, width 128", Config(architecture="mlp", width=128), Target(5), Target(0.6)),
    Case("dcgan, width 32", Config(architecture="dcgan", width=32), Target(2)),
    Case("dcgan, width 64", Config(architecture="dcgan", width=64), Target(2)),
    Case("wgan-gp, mlp, width 64", WGAN_GP, Target(3.5)),
)
QUICK_CASES = (
    Case("mlp, width 8", Config(architecture="mlp", width=8, batch_size=8), Target(5), Target(0.6)),
    Case("dcgan, width 8", Config(architecture="dcgan", width=8, batch_size=8), Target(2)),
)


def table_size(config: Config, device: str) -> int:
    """How many runs `stability run` trains in one cohort."""
    return COHORT_SIZES.get((device.partition(":")[0], config.architecture), DEFAULT_COHORT_SIZE)


def make_runs(configs: Sequence[Config]) -> list[Run]:
    """Runs of these configurations, each with a seed of its own."""
    return [
        Run(f"r{place}", place, f"r{place}", 0, seed=place, config=config, levels={})
        for place, config in enumerate(configs)
    ]


def make_cohort(
    configs: Sequence[Config],
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    compile: Compile = "none",
) -> Cohort:
    """A cohort on MNIST."""
    images = load_dataset("mnist", device=device).train
    return Cohort(make_runs(configs), images, Placement(device, dtype, compile))


@dataclass(frozen=True, slots=True)
class CohortTask:
    """One cohort: `plain` trains it, `recorded` does so with all diagnostics at the usual steps."""

    configs: tuple[Config, ...]
    device: str

    def begin(self) -> Work:
        """Build the cohort."""
        device = torch.device(self.device)
        keep_freed_memory()
        cohort = make_cohort(self.configs, device)
        every = {"plain": NEVER, "recorded": RECORD_EVERY}

        def work(action: str, count: int) -> None:
            for _ in cohort.train(cohort.step + count, every[action]):
                pass
            synchronised(device)

        return work


@dataclass(frozen=True, slots=True)
class NaiveTask:
    """One model and the naive loop around it; every action trains."""

    config: Config
    root: Path
    device: str

    def begin(self) -> Work:
        """Build the model."""
        device = torch.device(self.device)
        log = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process
        gan = NaiveGan(self.config, batches(self.root, self.config.batch_size), log, device)

        def work(action: str, count: int) -> Any:
            gan.train(count)
            synchronised(device)

        return work
