"""The command line, with only so much memory beyond what it takes to be loaded; its workers, too.

Usage: MEGABYTES=300 python starved.py run STUDY ...
"""

from __future__ import annotations

import os
import resource
from pathlib import Path

import stability.runner.study
from stability.cli.app import main

assert stability.runner.study


def starve(megabytes: int) -> None:
    """Bound the data of this process: heaps and anonymous memory, not code."""
    lines = Path("/proc/self/status").read_text().splitlines()
    data = next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmData:"))
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (data + (megabytes << 20), most))


starve(int(os.environ["MEGABYTES"]))  # also as a worker imports this as its main module

if __name__ == "__main__":
    main()
