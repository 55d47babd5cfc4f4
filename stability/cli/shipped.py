"""The studies that come with the package: their files, what each is for, how long it takes.

Imports no torch.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stability.errors import StabilityError
from stability.spec.problems import unknown

DATA = Path(__file__).parents[1] / "data"
STUDIES = DATA / "studies"
DEMOS = DATA / "demos"


def names() -> list[str]:
    """Every study file that ships."""
    return sorted(path.stem for path in STUDIES.glob("*.yaml"))


def study_text(name: str) -> str:
    """A study file as it ships. Raises `StabilityError` for a name that there is not."""
    if name not in names():
        raise StabilityError(f"--from: {unknown('study', name, names())}")
    return (STUDIES / f"{name}.yaml").read_text(encoding="utf-8")


def demos() -> dict[str, str]:
    """The finished studies that ship, each with what it shows."""
    return {path.name: comment(STUDIES / "demos" / f"{path.name}.yaml") for path in sorted(DEMOS.iterdir())}


def comment(study: Path) -> str:
    """The comment at the head of a study file."""
    lines = study.read_text(encoding="utf-8").splitlines()
    head = lines[: next(place for place, line in enumerate(lines) if not line.startswith("#"))]
    return " ".join(line.lstrip("# ").rstrip() for line in head)


def times() -> dict[str, Any]:
    """How long each study takes: `processor`, `cores`, and in `studies` seconds by name."""
    table: dict[str, Any] = json.loads((STUDIES / "times.json").read_text(encoding="utf-8"))
    return table


def time_told(name: str) -> str:
    """How long a study takes, in a few words; empty where it was not estimated."""
    table = times()
    time = table["studies"].get(name)
    if time is None:
        return ""
    return f"about {rough(time['seconds'])} on {table['cores']} cores"


def rough(seconds: float) -> str:
    """A duration, nothing finer than it can be known."""
    if seconds < 60:
        return f"{max(10, round(seconds, -1)):.0f} s"
    minutes = seconds / 60
    if minutes < 90:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h"
