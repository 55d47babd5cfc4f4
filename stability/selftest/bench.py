"""What several questions need, made once: the device, data, evaluators, real images' scores, small runs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from stability.gan.data.datasets import Dataset, load_dataset
from stability.gan.losses import LOSSES
from stability.gan.metrics.describers import load_describer
from stability.gan.metrics.evaluation import Evaluator
from stability.records import Evaluation
from stability.spec import Config, Run

SAMPLES: Mapping[str, int] = MappingProxyType({"mnist": 1024, "ring": 2500, "grid": 2500})
"""By data set, of an evaluation: a study's default, and what PacGAN's tables are taken on."""


class Bench:
    """Makes each thing when it is first asked for.

    `folder` is for caches, and to be empty: what was kept there earlier would hide what is wrong today.
    """

    def __init__(self, device: torch.device, folder: Path) -> None:
        self.device, self._folder = device, folder
        self.evaluators: dict[str, Evaluator] = {}
        self._real_scores: dict[str, Evaluation] = {}

    @cached_property
    def mnist(self) -> Dataset:
        """The embedded data set."""
        return load_dataset("mnist", device=self.device)

    @property
    def few_images(self) -> Tensor:
        """Enough images to train on for a few steps, uint8."""
        return self.mnist.train[:256]

    def evaluator(self, dataset: str) -> Evaluator:
        """An evaluator of `SAMPLES` samples, with floors of its own."""
        if dataset not in self.evaluators:
            data = load_dataset(dataset, device=self.device)
            describer, n = load_describer(data, device=self.device), SAMPLES[dataset]
            self.evaluators[dataset] = Evaluator(
                data, describer, samples=n, final_samples=n, cache_dir=self._folder
            )
        return self.evaluators[dataset]

    def real_scores(self, dataset: str) -> Evaluation:
        """Training images evaluated as if they were generated."""
        if dataset not in self._real_scores:
            self._real_scores[dataset] = self.evaluator(dataset).real_scores()
        return self._real_scores[dataset]


def small_runs(losses: tuple[str, ...] = (), **common: Any) -> list[Run]:
    """One small run per loss, by default per loss that can share a cohort with the first."""
    mixed = tuple(name for name, loss in LOSSES.items() if not loss.paired)
    return [small_run(seed, loss=loss, **common) for seed, loss in enumerate(losses or mixed)]


def small_run(seed: int, **parameters: Any) -> Run:
    """A run of a small network; the parameters win over the small ones."""
    config = Config.model_validate({"width": 8, "batch_size": 16, "latent_dim": 16, "lr": 1e-3} | parameters)
    name = f"selftest-{seed}"
    return Run(run=name, point=seed, trial=name, replicate=0, seed=seed, config=config, levels={})
