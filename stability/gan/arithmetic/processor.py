"""Which processor this is, as the system tells it. Imports only the standard library."""

from __future__ import annotations

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def processor_name(cpuinfo: Path = CPUINFO) -> str:
    """The processor's model, by which MKL chooses its code; empty where the system does not say."""
    return _field("model name", cpuinfo) or platform.processor()


def processor_vendor(cpuinfo: Path = CPUINFO) -> str:
    """Who made it, such as `GenuineIntel` or `AuthenticAMD`; empty where the system does not say."""
    return _field("vendor_id", cpuinfo)


def _field(name: str, cpuinfo: Path) -> str:
    """Of the first core; all of them say the same."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
