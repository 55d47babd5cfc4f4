"""A few columns of a cohort's records, for readers that need no more. Imports the store's own parts."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from stability.errors import StabilityError
from stability.spec.problems import one_line
from stability.store.changes import COHORTS
from stability.store.store import Store
from stability.store.tables import RECORDS


def record_columns(store: Store, cohort_id: str, columns: Sequence[str]) -> pa.Table:
    """These columns of a finished cohort's records, in this order, pages checked as `Store.table` does.

    What is read grows with the columns, so that a study of ten thousand runs need not be read whole.

    Raises `StabilityError`: the cohort is not finished, or the file is damaged; `KeyError`: a record has no
    such field.
    """
    if unknown := [name for name in columns if name not in RECORDS.names]:
        raise KeyError(f"records have no {unknown[0]!r}")
    path = store.folder / COHORTS / cohort_id / "records.parquet"
    schema = pa.schema([RECORDS.field(name) for name in columns])
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read(columns=list(columns), use_threads=False).select(list(columns))
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise StabilityError(f"{path}: damaged or unreadable ({one_line(str(error), 200)})") from None
    if table.schema.remove_metadata() != schema:
        raise StabilityError(f"{path}: damaged, or written by another version (its columns differ)")
    return table.replace_schema_metadata(None)
