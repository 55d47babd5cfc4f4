"""What a run of the benchmarks is asked for, and the machine that it runs on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import TypeVar

import torch

from stability.gan.arithmetic.processor import processor_name

LIBRARIES = ("torch", "torchvision", "torch-fidelity", "optuna", "numpy", "pandas")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Settings:
    """How much is measured, and where."""

    device: str = "cpu"
    rounds: int = 5
    quick: bool = False
    """Tiny sizes and one round: whether everything runs, not how fast."""

    @property
    def is_cpu(self) -> bool:
        """Whether the processor does the arithmetic, so that every core may have a process of its own."""
        return self.device == "cpu"

    @property
    def workers(self) -> int:
        """Processes that train at once: one a core, or one alone on a GPU."""
        return cores() if self.is_cpu else 1

    @property
    def worker_threads(self) -> int | None:
        """Threads of each worker; None is torch's own choice."""
        return 1 if self.is_cpu else None

    @property
    def all_threads(self) -> int | None:
        """Threads of a process that has the machine to itself: one for each core, as torch would have."""
        if not self.is_cpu:
            return None
        return 1 if self.quick else cores()

    @property
    def round_seconds(self) -> float:
        """How long one round of one side should take at least."""
        return 0.01 if self.quick else 0.8

    def sized(self, full: Value, quick: Value) -> Value:
        """The first in earnest, the second in a quick run."""
        return quick if self.quick else full


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine(settings: Settings) -> dict[str, str]:
    """What the figures depend on, by name."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    gpu = "none used" if settings.is_cpu else settings.device
    if settings.device.startswith("cuda"):
        gpu = torch.cuda.get_device_name(torch.device(settings.device))
    return {
        "Processor": f"{processor_name() or platform.machine()}, {cores()} cores",
        "GPU": gpu,
        "System": f"{platform.system()}, Python {platform.python_version()}",
        "Libraries": libraries,
    }
