"""Files of unequal age: what a reader finds in a column that is younger than the file.

A parameter has its default, which is what was built in before there was the parameter. A metric that was not
taken is null where it may be, and NaN where it is a number. Nothing stands for anything else, such as a name
or a step: a file without it is none of its kind. What was renamed keeps its values, and what follows from
others is derived. Imports spec and pyarrow.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from stability.spec import Config

ColumnOf = Callable[[str], list[Any]]
"""Gives the values of a column that a file has."""

CONFIG = "config"
"""The column of runs that holds their parameters as JSON."""

RENAMED = {"confidence": "classifier_confidence", "high_quality": "confident_share"}
"""Columns by the names that they had once."""
RETIRED_THRESHOLDS = ("stable_fid_ratio", "degraded_ratio", "progress", "swing_high", "swing_low")
"""Of outcome rules that are no more."""
REAL_VARIANCE = {
    ("mnist_cnn", 10): 118.93939533808364,
    ("mnist_cnn_x3", 1000): 357.21060247972514,
    ("points", 8): 1.0004363073504778,
    ("points", 25): 16.00441596812235,
    ("points", 1): 0.01,
}
"""By whose features and how many modes, what FID's excess is divided by: see `Evaluation.fid_excess`. Of data
sets that are shipped; of others, files that lack the excess do not tell it."""


def without_retired(study_yaml: str) -> str:
    """A stored study file without the thresholds that there are no more, on lines of their own or not."""
    return re.sub(rf"(?<![\w-])({'|'.join(RETIRED_THRESHOLDS)})\s*:[^,}}\n]*,?", "", study_yaml)


def absent_value(field: pa.Field) -> float | None:
    """What stands for a metric that was not taken; null and NaN stay two things.

    Raises `ValueError`: nothing does.
    """
    if not (field.nullable or pa.types.is_floating(field.type)):
        raise ValueError(f"its columns differ: there is no {field.name!r}")
    return None if field.nullable else math.nan


def with_younger_columns(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with all columns of the schema, in its order, and then what else it has.

    Raises `ValueError`: nothing stands for one that it lacks, or the parameters that it has are damaged.
    """
    columns = {RENAMED.get(name, name): table[name] for name in table.column_names}
    younger = [field for field in schema if field.name not in columns]
    if not younger:
        return table.rename_columns(list(columns))
    if any(_is_parameter(field, schema) for field in younger):
        configs = [Config.model_validate_json(text).model_dump() for text in columns[CONFIG].to_pylist()]
        columns[CONFIG] = pa.array([json.dumps(config) for config in configs], pa.string())
    for field in younger:
        if _is_parameter(field, schema):
            values = [config[field.name] for config in configs]
        elif field.name in DERIVED:
            values = DERIVED[field.name](lambda name: columns[name].to_pylist())
        else:
            values = [absent_value(field)] * table.num_rows
        columns[field.name] = pa.array(values, field.type)
    extra = [field for field in table.schema if RENAMED.get(field.name, field.name) not in schema.names]
    whole = pa.schema([*schema, *extra])
    return pa.Table.from_arrays([columns[name] for name in whole.names], schema=whole)


def _excess(column: ColumnOf) -> list[float]:
    names = ("features", "n_modes", "fid_ratio", "fid_floor")
    rows = zip(*(column(name) for name in names), strict=True)
    return [
        (ratio - 1) * (floor or variance) / variance
        for features, n_modes, ratio, floor in rows
        for variance in [REAL_VARIANCE.get((features, n_modes), math.nan)]
    ]


def _never_good(column: ColumnOf) -> list[bool]:
    return [evidence.startswith("never good") for evidence in column("evidence")]


DERIVED: Mapping[str, Callable[[ColumnOf], list[Any]]] = {
    "fid_excess": _excess,
    "never_good": _never_good,
}
"""Columns that others tell. Where the floor is 0, as dirac's is, the ratio was 1 + FID / tolerance^2."""


def _is_parameter(field: pa.Field, schema: pa.Schema) -> bool:
    return bool(CONFIG in schema.names and field.name in Config.model_fields)
