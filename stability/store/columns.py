"""A few columns of a cohort's records, for readers that need no more. Imports the store's own parts."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from stability.errors import StabilityError
from stability.spec.problems import one_line
from stability.store.advice import advised
from stability.store.changes import COHORTS
from stability.store.store import Store
from stability.store.tables import RECORDS

FILE = "records.parquet"


def record_columns(store: Store, cohort_id: str, columns: Sequence[str]) -> pa.Table:
    """These columns of a finished cohort's records, in this order, checked as `Store.table` does.

    What is decoded grows with the columns, so that a study of ten thousand runs is never in memory whole.

    Raises `StabilityError`: the cohort is not finished, or the file is damaged; `KeyError`: a record has no
    such field.
    """
    if unknown := [name for name in columns if name not in RECORDS.names]:
        raise KeyError(f"records have no {unknown[0]!r}")
    schema = pa.schema([RECORDS.field(name) for name in columns])
    with advised(store.folder):
        content = store.read_cohort_file(cohort_id, FILE)
        return _decode(content, schema, source=str(store.folder / COHORTS / cohort_id / FILE))


def _decode(content: bytes, schema: pa.Schema, *, source: str) -> pa.Table:
    try:
        with pq.ParquetFile(io.BytesIO(content), page_checksum_verification=True) as file:
            table = file.read(columns=schema.names, use_threads=False).select(schema.names)
    except MemoryError:  # which Arrow's is, too
        raise
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise StabilityError(f"{source}: damaged or unreadable ({one_line(str(error), 200)})") from None
    if table.schema.remove_metadata() != schema:
        raise StabilityError(f"{source}: damaged, or written by another version (its columns differ)")
    return table.replace_schema_metadata(None)
