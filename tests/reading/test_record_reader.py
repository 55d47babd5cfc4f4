from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_study import make_store

from stability.reading import record_reader
from stability.reading.record_reader import RecordSource, StoredRecords, records_before, select_records
from stability.store import Store
from stability.store.tables import RECORDS


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return make_store(tmp_path_factory.mktemp("results") / "made")


@pytest.fixture(scope="module")
def stored(store: Store) -> StoredRecords:
    return StoredRecords(store, tuple(cohort.id for cohort in store.plan.cohorts))


@pytest.fixture(params=["on the disk", "in memory"])
def source(request: pytest.FixtureRequest, stored: StoredRecords) -> RecordSource:
    return stored if request.param == "on the disk" else select_records(stored, None, None)


def test_all_columns_of_all_runs_are_what_the_store_holds(store: Store, stored: StoredRecords) -> None:
    every = select_records(stored, None, None)
    tables = [store.table(cohort, "records").to_pandas() for cohort in stored.cohorts]
    pd.testing.assert_frame_equal(every, pd.concat(tables, ignore_index=True))


def test_a_selection_has_its_runs_and_columns_and_no_others(source: RecordSource) -> None:
    runs = {"p0-hinge-s0", "p1-wgan-gp-s1"}
    some = select_records(source, runs, ["separation", "step", "loss_d"])
    assert list(some) == ["run", "step", "separation", "loss_d"]
    assert set(some["run"]) == runs
    every = select_records(source, None, ["separation", "loss_d"])
    expected = every[every["run"].isin(runs)]
    pd.testing.assert_frame_equal(some.reset_index(drop=True), expected.reset_index(drop=True))


def test_only_cohorts_with_a_wanted_run_are_read(
    stored: StoredRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    original = record_reader.record_columns
    monkeypatch.setattr(
        record_reader,
        "record_columns",
        lambda store, cohort, columns: (
            read.append((cohort, tuple(columns))) or original(store, cohort, columns)
        ),
    )
    select_records(stored, ["p1-wgan-gp-s1"], ["loss_d"])
    assert read == [("c001-mlp", ("run", "step", "loss_d"))]


def test_no_runs_and_unknown_runs_give_an_empty_frame_that_joins(source: RecordSource) -> None:
    for runs in ([], ["nobody"]):
        none = select_records(source, runs, ["loss_d"])
        assert list(none) == ["run", "step", "loss_d"]
        assert len(none.merge(pd.DataFrame({"run": ["a"]}), on="run")) == 0


def test_an_unknown_column_is_named(source: RecordSource) -> None:
    with pytest.raises(KeyError, match="loss_x"):
        select_records(source, None, ["loss_x"])


def test_a_visit_gets_the_last_record_at_or_before_it(source: RecordSource) -> None:
    """Records of the made study stand at steps 10, 20 and 30, and in each field step + a constant."""
    run = "p0-hinge-s0"
    steps = sorted(select_records(source, [run], ["step"])["step"])
    visits = pd.DataFrame({"run": run, "step": [steps[1], steps[1] + 1, steps[0] - 1, steps[-1] + 50]})
    found = records_before(source, visits, ["loss_d"])
    assert found["step"].tolist() == visits["step"].tolist()
    assert found["record_step"].tolist()[:2] == [steps[1], steps[1]]
    assert found["record_step"].isna().tolist() == [False, False, True, False]
    assert found["record_step"].tolist()[3] == steps[-1]
    offset = RECORDS.names.index("loss_d") / 7
    known = found.dropna()
    np.testing.assert_allclose(known["loss_d"], known["record_step"].astype(float) + offset)
    assert np.isnan(found["loss_d"].iloc[2])


def test_without_visits_there_are_no_rows(source: RecordSource) -> None:
    none = records_before(source, pd.DataFrame({"run": pd.Series(dtype="str"), "step": []}), ["loss_d"])
    assert list(none) == ["run", "step", "record_step", "loss_d"]
    assert len(none) == 0


Steps = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 30)), max_size=25, unique=True)


@given(Steps, Steps)
def test_records_before_visits_agree_with_a_plain_search(
    recorded_at: list[tuple[str, int]], visited_at: list[tuple[str, int]]
) -> None:
    records = pd.DataFrame(recorded_at, columns=["run", "step"]).astype({"run": "str", "step": "int64"})
    records["value"] = np.arange(len(records), dtype=float)
    visits = pd.DataFrame(visited_at, columns=["run", "step"]).astype({"run": "str", "step": "int64"})
    found = records_before(records, visits, ["value"])
    assert len(found) == visits["run"].isin(records["run"]).sum()
    for row in found.itertuples():
        earlier = records[(records["run"] == row.run) & (records["step"] <= row.step)]
        if earlier.empty:
            assert np.isnan(row.value)
        else:
            assert row.value == earlier.sort_values("step")["value"].iloc[-1]
