"""The device that a study trains on, and what else its numbers depend on."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import torch

from stability import __version__
from stability.errors import StabilityError
from stability.gan.data import Dataset
from stability.gan.describers import Describer

LIBRARIES = ("torch", "torchvision", "numpy", "scipy", "pandas", "pyarrow", "optuna", "torch-fidelity")

DEVICE = re.compile(r"cpu|mps|cuda(:[0-9]{1,4})?")


def available_devices() -> tuple[str, ...]:
    """Names of the kinds of device that this machine has, best first."""
    cuda = ("cuda",) if torch.cuda.is_available() else ()
    mps = ("mps",) if torch.backends.mps.is_available() else ()
    return (*cuda, *mps, "cpu")


def choose_device(name: str) -> torch.device:
    """The device of this name; `auto` is a GPU where there is one, else the CPU.

    Raises StabilityError for a device that this machine does not have.
    """
    found = available_devices()
    if name == "auto":
        return torch.device(found[0])
    kind, _, index = name.partition(":")
    if kind not in found or not DEVICE.fullmatch(name):
        raise StabilityError(f"--device {name}: not on this machine; it has: {', '.join(found)}")
    if kind == "cuda" and index and int(index) >= torch.cuda.device_count():
        raise StabilityError(f"--device {name}: this machine has {torch.cuda.device_count()} CUDA devices")
    return torch.device(name)


def prepare(threads: int) -> None:
    """Fix what records depend on: the number of threads, and denormal floats, which are kept."""
    torch.set_num_threads(threads)


def environment_changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """By name: what `describe_environment` said then and what it says now, where the two differ."""
    return {
        name: {"was": then.get(name), "is": value} for name, value in now.items() if then.get(name) != value
    }


def describe_environment(device: torch.device, dataset: Dataset, describer: Describer) -> dict[str, Any]:
    """Everything besides the plan that could change a study's numbers."""
    return {
        "stability": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "mkl_cbwr": os.environ.get("MKL_CBWR", ""),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "libraries": {name: version(name) for name in LIBRARIES},
        "dataset": {"name": dataset.name, "sha256": dataset.sha256},
        "classifier": {"name": describer.name, "sha256": describer.sha256},
    }
