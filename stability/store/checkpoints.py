"""A cohort under way as one safetensors file: its arrays, and its history so far as JSON. Never pickled.

The JSON is an array of the file like the others: the format limits its own header to 100 MB, which a long
study's history passes. A digest over names, types, shapes and bytes tells a damaged file from a whole one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from stability.records import Divergence, Evaluation, History, Record
from stability.spec.problems import one_line
from stability.store.ages import DERIVED, RENAMED, absent_value
from stability.store.tables import EVALUATIONS, RECORDS

NOTE = ".note"
DIGEST = ".digest"

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class DamagedCheckpoint:
    """A checkpoint that cannot be believed; the cohort starts over, and the reason is told."""

    reason: str


def encode_checkpoint(arrays: Mapping[str, NDArray[Any]], note: Mapping[str, Any]) -> bytes:
    """Arrays and a JSON note (floats exact, NaN and infinity kept) as the bytes of a safetensors file.

    Raises `ValueError`: an array has a reserved name; `TypeError`: the note is no JSON; `MemoryError`.
    """
    if reserved := {NOTE, DIGEST} & set(arrays):
        raise ValueError(f"array names {sorted(reserved)} are reserved")
    content = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    content[NOTE] = np.frombuffer(json.dumps(note).encode(), np.uint8)
    content[DIGEST] = _digest(content)
    try:
        return safetensors.numpy.save(content)
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # Rust's, which has no other name here
            raise
        raise MemoryError(f"no room for the bytes of {len(arrays)} arrays") from error


def decode_checkpoint(content: bytes) -> tuple[Arrays, dict[str, Any]] | DamagedCheckpoint:
    """Read what `encode_checkpoint` made; anything else is told as damaged, never raised."""
    try:
        arrays = safetensors.numpy.load(content)
    except (safetensors.SafetensorError, ValueError, TypeError, KeyError) as error:
        return DamagedCheckpoint(f"no safetensors file ({one_line(str(error), 200)})")
    digest = arrays.pop(DIGEST, None)
    if digest is None or not np.array_equal(digest, _digest(arrays)):
        return DamagedCheckpoint("its digest does not match its content")
    return arrays, json.loads(arrays.pop(NOTE).tobytes())


def encode_history(history: History) -> dict[str, Any]:
    """A history as JSON values, column by column, for a checkpoint's note."""
    return {
        "run": history.run,
        "records": _columns(Record, history.records),
        "evaluations": _columns(Evaluation, history.evaluations),
        "divergence": dataclasses.astuple(history.divergence) if history.divergence else None,
        "last_step": history.last_step,
    }


def decode_history(fields: Mapping[str, Any]) -> History:
    """The history that `encode_history` wrote, equal in every field; what it knew nothing of is absent."""
    return History(
        run=fields["run"],
        records=tuple(Record(**row) for row in _rows(fields["records"], RECORDS)),
        evaluations=tuple(Evaluation(**row) for row in _rows(fields["evaluations"], EVALUATIONS)),
        divergence=Divergence(*fields["divergence"]) if fields["divergence"] else None,
        last_step=fields["last_step"],
    )


def _columns(row_type: type[Record] | type[Evaluation], rows: tuple[Any, ...]) -> dict[str, list[Any]]:
    return {
        field.name: [_plain(getattr(row, field.name)) for row in rows]
        for field in dataclasses.fields(row_type)
    }


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _rows(columns: Mapping[str, list[Any]], schema: pa.Schema) -> list[dict[str, Any]]:
    """Rows of columns; JSON knows no tuples, and no field of a row is a list."""
    named = {RENAMED.get(name, name): column for name, column in columns.items()}
    n_rows = len(next(iter(named.values())))
    for field in schema:
        if field.name in named:
            continue
        derive = DERIVED.get(field.name, lambda _, field=field: [absent_value(field)] * n_rows)
        named[field.name] = derive(named.__getitem__)
    values = (
        [tuple(value) if isinstance(value, list) else value for value in column] for column in named.values()
    )
    return [dict(zip(named, row, strict=True)) for row in zip(*values, strict=True)]


def _digest(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
    digest = hashlib.blake2b(digest_size=32)
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return np.frombuffer(digest.digest(), np.uint8)
