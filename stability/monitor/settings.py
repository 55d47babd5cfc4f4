"""What the owner of a run calls its settings, as plain values; and what has differed between several runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stability.spec import PARAMETERS, Choice, Config, Range
from stability.spec.problems import one_line
from stability.spec.study import CONFIGURATION, VARIANT
from stability.store.tables import EVALUATIONS, RUNS
from stability.vocabulary.metrics import EXTRA_PREFIXES

TAKEN = ({*RUNS.names, *EVALUATIONS.names} - {*PARAMETERS}) | {VARIANT, CONFIGURATION, "study"}
"""Names that a frame of runs uses for something else."""
SEED = "seed"
MOST_TEXTS = 50
"""A setting with more texts than this over the runs, such as a comment, is no factor."""
LOG_SPAN = 10
"""Positive numbers that span this factor are compared on a logarithmic scale."""
MOST_NAME, MOST_TEXT = 60, 100


def plain_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as numbers, booleans, null and short texts, without the seed; nested ones by dotted names."""
    settings = {}
    for name, value in _flat(config, ""):
        if name != SEED:
            taken = name in TAKEN or name.startswith(EXTRA_PREFIXES)
            settings[f"config.{name}" if taken else one_line(name, MOST_NAME)] = plain(value)
    return settings


def seed_of(config: Mapping[str, Any]) -> int | None:
    """The run's seed, if its settings name one that is a whole number."""
    seed = plain(config.get(SEED))
    return seed if type(seed) is int and 0 <= seed < 2**63 else None


def plain(value: Any) -> float | int | bool | str | None:
    """A number, a boolean or null as it is, also from NumPy and torch; everything else as a short text."""
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**63:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    return one_line(str(value), MOST_TEXT)


def space_of(levels: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Range | Choice], dict[str, Any]]:
    """What has differed between runs, and what has been the same in all, by name."""
    space: dict[str, Range | Choice] = {}
    fixed: dict[str, Any] = {}
    for name in dict.fromkeys(name for own in levels for name in own):
        values = list(dict.fromkeys(_typed(own.get(name)) for own in levels))
        if len(values) == 1:
            fixed[name] = values[0][1]
        elif (found := _domain([value for _, value in values])) is not None:
            space[name] = found
    return space, fixed


def config_of(settings: Mapping[str, Any]) -> Config:
    """The settings that are parameters of ours with values that these may have; defaults for the rest.

    What a results folder's tables are made of; a page shows what the owner named, and nothing else.
    """
    known: dict[str, Any] = {}
    for name in PARAMETERS:
        if name in settings and _is_valid({**known, name: settings[name]}):
            known[name] = settings[name]
    return Config(**known)


def _is_valid(values: Mapping[str, Any]) -> bool:
    try:
        Config.model_validate(dict(values), strict=True)
    except ValueError:
        return False
    return True


def _typed(value: Any) -> tuple[bool, Any]:
    """Keeps 1 and True apart, which are equal."""
    return isinstance(value, bool), value


def _domain(values: list[Any]) -> Range | Choice | None:
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        low, high = min(values), max(values)
        integer = all(isinstance(value, int) for value in values)
        return Range(low=low, high=high, log=low > 0 and high / low >= LOG_SPAN, integer=integer)
    return Choice(values=tuple(values)) if len(values) <= MOST_TEXTS else None


def _flat(config: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
