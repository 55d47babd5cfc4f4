"""The page's estimates for machines: one JSON file, or a folder with a CSV file for each table."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stability.errors import StabilityError
from stability.store.files import write_asked

Tables = Mapping[str, pd.DataFrame]


def write_json(about: Mapping[str, Any], tables: Tables, out: Path) -> Path:
    """Write `{..about, "estimates": {table: [row, ...]}}`; folders above `out` are made.

    What is missing is null; an infinite number is the text "inf" or "-inf", for JSON has none.
    Raises `StabilityError` where the file cannot be written.
    """
    content = {**about, "estimates": {name: as_rows(table) for name, table in tables.items()}}
    return write_text(out, json.dumps(content, indent=1, allow_nan=False))


def write_csv(tables: Tables, out: Path) -> Path:
    """Write every table as `<out>/<table>.csv`. Raises `StabilityError` where that is not possible."""
    for name, table in tables.items():
        write_text(out / f"{name}.csv", _with_texts(table).to_csv(index=False))
    return out


def as_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table's rows with Python's own numbers and None."""
    return [{str(key): _plain(value) for key, value in row.items()} for row in table.to_dict("records")]


def _with_texts(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its lists as JSON: NumPy's own text would be rounded and cut short."""
    lists = [
        name for name in table if table[name].map(lambda cell: isinstance(cell, np.ndarray | list)).any()
    ]
    return table.assign(**{str(name): [json.dumps(_plain(cell)) for cell in table[name]] for name in lists})


def write_text(out: Path, text: str) -> Path:
    """Write a file, whole or not at all, and the folders above it.

    Raises `StabilityError` where that is not possible.
    """
    return write_bytes(out, text.encode())


def write_bytes(out: Path, content: bytes) -> Path:
    """As `write_text`."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_asked(out, content)
    except OSError as error:
        raise StabilityError(f"{out}: cannot be written ({error.strerror})") from None
    return out


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float):
        return None if math.isnan(value) else value if math.isfinite(value) else str(value)
    return value if isinstance(value, bool | int | str) else str(value)
