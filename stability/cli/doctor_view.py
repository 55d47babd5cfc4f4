"""What `stability doctor` says of an installation, to be put into a report of a fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from stability.runner.devices import describe_installation, flat
from stability.selftest import Check, run_checks


def diagnosis(device: torch.device) -> dict[str, Any]:
    """By name: the installation, every GPU that torch sees, and what the self-test found."""
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return describe_installation(device) | {"gpus": gpus, "selftest": _summary(run_checks(device))}


def diagnosis_as_text(found: dict[str, Any]) -> str:
    """A line for each thing."""
    lines = flat({name: value if value != [] else "none" for name, value in found.items()})
    width = max(map(len, lines))
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in lines.items())


def _summary(checks: Sequence[Check]) -> dict[str, Any]:
    failed = {
        check.name: f"expected {check.expected}, found {check.found}" for check in checks if not check.passed
    }
    return {"passed": f"{len(checks) - len(failed)} of {len(checks)} checks"} | {"failed": failed or "none"}
