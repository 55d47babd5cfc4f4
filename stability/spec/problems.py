"""What is wrong with a study file, in plain words: where, what, and what is allowed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Where a value stands: keys and, in a list, positions."""
FEW = 30
"""So many names are all listed where one is unknown; of more, those of which the unknown one reminds."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    path: Path
    message: str


def dotted(path: Path) -> str:
    """`space.lr.low`; a position in a list is told by its line and value instead."""
    return one_line(".".join(one_line(part) for part in path if isinstance(part, str)), 180)


def one_line(text: str, length: int = 60) -> str:
    """The text with what cannot be printed escaped, cut where it is long."""
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= length else text[: length - 3] + "..."


def show(value: Any) -> str:
    """A value as a study file writes it, on one line and not too long."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: ".inf", -math.inf: "-.inf"}.get(value, ".nan")
    return one_line(json.dumps(value, ensure_ascii=False, default=str))


def nearest(word: Any, allowed: Iterable[Any]) -> str:
    """`; did you mean "sampler"?` where a name is near, else nothing; numbers have no near names."""
    names = [name for name in allowed if isinstance(name, str)]
    is_short = isinstance(word, str) and len(word) <= 60
    matches = get_close_matches(word.lower(), names, n=1) if is_short else []
    return f"; did you mean {show(matches[0])}?" if matches else ""


def unknown(kind: str, word: str, allowed: Iterable[str], meant: str | None = None) -> str:
    """`unknown key "sampelr"; did you mean "sampler"? allowed: sampler, points`.

    `meant` is the allowed name that is certainly meant, where one is.
    """
    if meant:
        return f"unknown {kind} {show(word)}; here it is called {show(meant)}"
    names = list(allowed)
    guess = nearest(word, names) or ";"
    if len(names) <= FEW:
        return f"unknown {kind} {show(word)}{guess} allowed: {', '.join(names)}"
    alike = get_close_matches(word[:60].lower(), names, n=8, cutoff=0.4)
    some = f"{', '.join(alike)} and others" if alike else f"{len(names)} {kind}s"
    return f"unknown {kind} {show(word)}{guess} allowed: {some}, which `stability init` lists"


def must_be(schema: Mapping[str, Any], value: Any) -> str:
    """What a value must be, from the field's JSON schema; a near name comes first.

    `must be one of mlp, dcgan, not 3`; `not "mpl"; did you mean "mlp"? it must be one of mlp, dcgan`.
    """
    guess, words = nearest(value, schema.get("enum", ())), f"must be {describe(schema)}"
    return f"not {show(value)}{guess} it {words}" if guess else f"{words}, not {show(value)}"


def describe(schema: Mapping[str, Any]) -> str:
    """What a JSON schema allows, in plain words."""
    if "anyOf" in schema:
        return " or ".join(describe(option) for option in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    kind = schema.get("type")
    if kind == "array":
        return f"a list, each {describe(schema['items'])}"
    words = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "text"}
    return words.get(str(kind), str(kind)) + _bounds(schema)


def _bounds(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    parts = [
        f"of at least {low}" if low is not None else "",
        f"above {above}" if above is not None else "",
        f"at most {high}" if high is not None else "",
        f"below {below}" if below is not None else "",
    ]
    words = " and ".join(part for part in parts if part)
    return f" {words}" if words else ""
