"""Run by `make test-lowest` in an environment of the lowest versions that the package says it works with.

Every declared minimum is the version that is there, every module can be imported, and a tiny study is
trained, reported and examined.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
import tempfile
import tomllib
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]
LENT = {"torch", "torchvision"}
"""May be newer: see the Makefile."""
ON_EXTRAS = ("stability.monitor.lightning", "stability.runner.engines.ray", "stability.runner.engines.slurm")
STUDY = """\
name: lowest
dataset: mnist
space:
  loss: [non-saturating, hinge]
  lr: {low: 1.0e-4, high: 1.0e-2, log: true}
  beta1: {low: 0.0, high: 0.9}
fixed: {width: 8, batch_size: 16}
design: {points: 6, seeds: 2, cross: [loss]}
training: {steps: 20}
recording: {every: 5, evaluate_every: 10, samples: 64, final_samples: 64}
"""


def minima() -> dict[str, str]:
    """The lowest version of every dependency, by its name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = (re.fullmatch(r"([\w.-]+)>=([\d.]+)", line) for line in project["dependencies"])
    return {match[1]: match[2] for match in found if match}


def other_versions() -> list[str]:
    """Which packages are not here as low as they are said to work."""
    own = {name: low for name, low in minima().items() if name not in LENT}
    return [
        f"{name} {version(name)}, not {low}" for name, low in own.items() if not is_same(version(name), low)
    ]


def is_same(found: str, low: str) -> bool:
    """2.9 is 2.9.0."""
    return found.removesuffix(".0") == low.removesuffix(".0") or found.startswith(f"{low}.")


def modules() -> list[str]:
    """Every module of the package, but for those that stand on an extra."""
    package = importlib.import_module("stability")
    names = [found.name for found in pkgutil.walk_packages(package.__path__, "stability.")]
    return [name for name in names if not name.startswith(ON_EXTRAS)]


def command(*arguments: str) -> None:
    """Run `stability` with them, and stop here if it fails."""
    from stability.cli.app import main

    sys.argv = ["stability", *arguments]
    try:
        main()
    except SystemExit as end:
        if end.code:
            sys.exit(f"stability {' '.join(arguments)}: exit code {end.code}")


if __name__ == "__main__":
    if wrong := other_versions():
        sys.exit(f"not the lowest versions: {', '.join(wrong)}")
    names = [name for name in modules() if not name.endswith("__main__")]
    for name in names:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as scratch:
        study, results = Path(scratch, "study.yaml"), str(Path(scratch, "results"))
        study.write_text(STUDY, encoding="utf-8")
        command("run", "--help")
        command("run", str(study), "--out", results, "--workers", "1", "--threads", "1")
        command("report", results, "--out", str(Path(scratch, "report.html")))
        command("status", results, "--check")
    print(
        f"{len(names)} modules and a study of 24 runs work on Python {sys.version.split()[0]} "
        f"with torch {version('torch')}"
    )
