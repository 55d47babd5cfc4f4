"""What `stability advise` reads, and what it tells machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

import pandas as pd

from stability.errors import StabilityError
from stability.questions.advice.answer import Advice
from stability.report.export import as_rows
from stability.spec.problems import one_line
from stability.spec.source import read_source


def read_pairs(pairs: Sequence[str]) -> dict[str, Any]:
    """The values of `KEY=VALUE`, read as in a study file.

    Raises StabilityError where one cannot be read, or a key is there twice.
    """
    keys = [pair.partition("=")[0].strip() for pair in pairs]
    for pair, key in zip(pairs, keys, strict=True):
        if "=" not in pair or not key:
            raise StabilityError(f"--set {one_line(pair)}: must be written KEY=VALUE, such as loss=hinge")
        if keys.count(key) > 1:
            raise StabilityError(f"--set {one_line(key)}: given more than once; one value is asked about")
    return read_source("{}", "setting", pairs).data


def summary(found: Advice) -> dict[str, Any]:
    """The same for machines; a number that there is not is null."""
    plain = {field.name: getattr(found, field.name) for field in fields(Advice)}
    plain |= {"verdict": found.verdict, "better": found.better, "sure": found.sure}
    tables = {name: as_rows(value) for name, value in plain.items() if isinstance(value, pd.DataFrame)}
    for row in tables["nearest"] if found.folder else ():
        row["show"] = found.look(row["run"])
    numbers = {name: None if found.reason else plain[name] for name in ("chance", "ci_low", "ci_high")}
    parts = {name: asdict(part) for name in ("coarser", "change") if (part := plain[name]) is not None}
    return plain | tables | numbers | parts
