"""A few columns of a cohort's records, for readers that need no more. Imports the store's own parts."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from stability.store.ages import with_younger_columns
from stability.store.error_hint import advised
from stability.store.store import Store
from stability.store.tables import RECORDS, check_columns, whole_parquet
from stability.store.transaction import COHORTS

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
    with whole_parquet(source), pq.ParquetFile(io.BytesIO(content), page_checksum_verification=True) as file:
        check_columns(file.schema_arrow, file.metadata.num_rows, RECORDS)
        there = [name for name in schema.names if name in file.schema_arrow.names]
        table = file.read(columns=there, use_threads=False).select(there)
        return with_younger_columns(table.replace_schema_metadata(None), schema)
