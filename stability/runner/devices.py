"""The device that a study trains on, and what else its numbers depend on."""

from __future__ import annotations

import os
import platform
import re
import socket
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import torch

from stability import __version__
from stability.errors import StabilityError
from stability.gan.arithmetic.processor import processor_name
from stability.gan.arithmetic.products import LIBRARY
from stability.gan.data.datasets import Dataset
from stability.gan.metrics.describers import Describer
from stability.records import Machine

LIBRARIES = ("torch", "torchvision", "numpy", "scipy", "pandas", "pyarrow", "optuna", "torch-fidelity")

VARIABLES = re.compile(
    r"(MKL_(?!CBWR$|NUM_THREADS$)|ATEN_CPU_CAPABILITY$|DNNL_|ONEDNN_|NVIDIA_TF32_OVERRIDE$|CUBLAS_WORKSPACE_CONFIG$)"
)
"""Environment variables by which the libraries choose their code; `MKL_CBWR` is told by itself."""

ONLY_CHOICES = {"products": "onednn"}
"""By key of an environment: what was built in before there was a choice to write down."""

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


def prepare(threads: int, *, tf32: bool = False) -> None:
    """Fix what records depend on: the number of threads, and whether CUDA devices may use TF32.

    What a CPU computes is the same with `tf32`. Denormal floats are kept.
    """
    torch.set_num_threads(threads)
    with warnings.catch_warnings():  # of another way, which torch.compile cannot read back
        warnings.filterwarnings("ignore", message="Please use the new API settings to control TF32")
        torch.set_float32_matmul_precision("high" if tf32 else "highest")
        torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.mkldnn.matmul.fp32_precision = "ieee"  # type: ignore[attr-defined]  # "high" is CPUs', too


def this_machine(device: torch.device) -> Machine:
    """The host, and what does the arithmetic on a device of it."""
    return Machine(socket.gethostname(), _gpu_name(device) or processor_name())


def environment_changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """By dotted name: what `describe_environment` said then and says now, where the two differ.

    What an older version did not write down is not compared, unless it had no choice.
    """
    then = {**ONLY_CHOICES, **then} if "processor" in then else then
    both = then.keys() & now.keys()
    was, current = (flat({name: side[name] for name in side if name in both}) for side in (then, now))
    names = [*current, *(name for name in was if name not in current)]
    return {
        name: {"was": was.get(name), "is": current.get(name)}
        for name in names
        if was.get(name) != current.get(name)
    }


def describe_environment(device: torch.device, dataset: Dataset, describer: Describer) -> dict[str, Any]:
    """Everything besides the plan that could change a study's numbers."""
    return describe_installation(device) | {
        "dataset": {"name": dataset.name, "sha256": dataset.sha256},
        "classifier": {"name": describer.name, "sha256": describer.sha256},
    }


def describe_installation(device: torch.device) -> dict[str, Any]:
    """Versions, processor, kernels and how torch rounds, as far as they could change numbers."""
    return {
        "stability": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": torch.backends.cpu.get_cpu_capability(),
        "processor_name": processor_name(),
        "products": LIBRARY,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "mkl_cbwr": os.environ.get("MKL_CBWR", ""),
        "variables": {name: os.environ[name] for name in sorted(os.environ) if VARIABLES.match(name)},
        "arithmetic": _arithmetic(),
        "device": _gpu_name(device) or device.type,
        "libraries": {name: version(name) for name in LIBRARIES},
        "builds": {
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version() if device.type == "cuda" else None,  # type: ignore[no-untyped-call]
        },
    }


def _gpu_name(device: torch.device) -> str:
    """Empty where it is no CUDA device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else ""


def _arithmetic() -> dict[str, Any]:
    """How torch has been told to round and to choose among algorithms."""
    tiny = torch.tensor(2.0**-140)  # below float32's normal numbers
    return {
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "float32_matmul": torch.get_float32_matmul_precision(),
        "default_dtype": str(torch.get_default_dtype()),
        "denormals": bool((tiny * 0.5) > 0),
        "mkldnn": torch.backends.mkldnn.enabled,
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cudnn_tf32": torch.backends.cudnn.allow_tf32,
        "mkldnn_matmul": torch.backends.mkldnn.matmul.fp32_precision,  # type: ignore[attr-defined]
    }


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted name."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found
