"""Whether a horizon is long enough for anything to succeed, by what was measured.

What was measured is a packaged file, `data/horizons.json`, which `studies/horizons.py` writes. Where it knows
nothing of a data set and an architecture nothing is said. Imports only `spec`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from stability.spec import Choice, StudySpec
from stability.spec.config import Config


def horizon_notes(spec: StudySpec) -> list[str]:
    """One line for every measured study of this data set and one of these architectures."""
    known = [row for row in measured_horizons() if row["dataset"] == spec.dataset]
    return [_note(spec, row) for row in known if row["architecture"] in architectures(spec)]


@cache
def measured_horizons() -> tuple[Mapping[str, Any], ...]:
    """The packaged measurements, as `stability.questions.time_to_event.horizons.horizon_facts` gives them."""
    text = (files("stability") / "data" / "horizons.json").read_text(encoding="utf-8")
    return tuple(json.loads(text)["studies"])


def architectures(spec: StudySpec) -> tuple[str, ...]:
    """Those that the study trains."""
    varied = spec.space.get("architecture")
    if isinstance(varied, Choice):
        return tuple(varied.values)
    return (spec.fixed.get("architecture", Config.model_fields["architecture"].default),)


def _note(spec: StudySpec, row: Mapping[str, Any]) -> str:
    steps = spec.training.steps
    seen = (
        f"in the study {row['study']} ({row['n_runs']:,} runs of {row['architecture']}, "
        f"{row['steps']:,} steps, a visit every {row['evaluate_every']:,})"
    )
    if row["first"] is None:
        return f"horizon {steps:,}: {seen} no run ever succeeded"
    verdict = (
        "nothing may have succeeded yet"
        if steps < row["first"]
        else "many runs may not have succeeded yet"
        if steps < row["half"]
        else "long enough for half of those that succeeded"
    )
    measured = (
        f"the first succeeded at step {row['first']:,}, half of the {row['n_success']:,} that ever did "
        f"by step {row['half']:,}"
    )
    other = _differences(spec, row["thresholds"])
    return f"horizon {steps:,}, {verdict}: {seen} {measured}{f'; measured with {other}' if other else ''}"


def _differences(spec: StudySpec, measured: Mapping[str, float]) -> str:
    """The thresholds that differ from those measured with: "stable_modes 0.9 (here 0.5)"."""
    here = spec.outcomes.model_dump()
    numbers = {name: value for name, value in measured.items() if isinstance(value, int | float)}
    differing = [name for name, value in numbers.items() if name in here and here[name] != value]
    return ", ".join(f"{name} {measured[name]:g} (here {here[name]:g})" for name in differing)
