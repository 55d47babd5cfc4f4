"""Files of unequal age: what a reader finds in a column that is younger than the file.

A parameter has its default, which is what was built in before there was the parameter. A metric that was not
taken is null where it may be, and NaN where it is a number. Nothing stands for anything else, such as a name
or a step: a file without it is none of its kind. Imports spec and pyarrow.
"""

from __future__ import annotations

import json
import math

import pyarrow as pa

from stability.spec import Config

CONFIG = "config"
"""The column of runs that holds their parameters as JSON."""


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
    younger = [field for field in schema if field.name not in table.column_names]
    if not younger:
        return table
    columns = {name: table[name] for name in table.column_names}
    if any(_is_parameter(field, schema) for field in younger):
        configs = [Config.model_validate_json(text).model_dump() for text in columns[CONFIG].to_pylist()]
        columns[CONFIG] = pa.array([json.dumps(config) for config in configs], pa.string())
    for field in younger:
        if _is_parameter(field, schema):
            values = [config[field.name] for config in configs]
        else:
            values = [absent_value(field)] * table.num_rows
        columns[field.name] = pa.array(values, field.type)
    whole = pa.schema([*schema, *(field for field in table.schema if field.name not in schema.names)])
    return pa.Table.from_arrays([columns[name] for name in whole.names], schema=whole)


def _is_parameter(field: pa.Field, schema: pa.Schema) -> bool:
    return bool(CONFIG in schema.names and field.name in Config.model_fields)
