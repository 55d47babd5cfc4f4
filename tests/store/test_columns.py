from __future__ import annotations

from pathlib import Path

import pytest
from made_study import make_store

from stability.errors import StabilityError
from stability.store import Store
from stability.store.columns import record_columns

COHORT = "c000-mlp"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path / "made", finish=1)


def records(store: Store) -> Path:
    return store.folder / "cohorts" / COHORT / "records.parquet"


def test_columns_are_those_of_the_whole_table_in_the_order_asked(store: Store) -> None:
    names = ["separation", "run", "layer_names_g"]
    some = record_columns(store, COHORT, names)
    assert some.column_names == names
    assert some.equals(store.table(COHORT, "records").select(names))


def test_a_field_that_no_record_has_is_named(store: Store) -> None:
    with pytest.raises(KeyError, match="loss_x"):
        record_columns(store, COHORT, ["loss_x"])


def test_a_cohort_that_is_not_finished_is_told(store: Store) -> None:
    with pytest.raises(StabilityError, match=r"c001-mlp/records\.parquet: No such file"):
        record_columns(store, "c001-mlp", ["run"])


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_damage_is_told_with_the_path(store: Store, damage: str) -> None:
    content = bytearray(records(store).read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    else:
        content[40] ^= 0xFF  # in the first page of the first column
    records(store).write_bytes(bytes(content))
    said = r"records\.parquet: damaged, its digest .*; `stability status \S+ --check` says more$"
    with pytest.raises(StabilityError, match=said):
        record_columns(store, COHORT, ["run", "step"])
    (records(store).parent / "digests.json").unlink()
    with pytest.raises(StabilityError, match=r"records\.parquet: damaged or unreadable \("):
        record_columns(store, COHORT, ["run", "step"])
