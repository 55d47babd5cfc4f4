from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from made_study import make_cohort, make_history, make_store, plain

from stability.errors import StabilityError
from stability.outcomes import label
from stability.reading.frames import load
from stability.records import Machine
from stability.spec import Config, Thresholds, parse_study
from stability.store import Plan, Store
from stability.store.ages import absent_value, with_younger_columns
from stability.store.checkpoints import decode_history, encode_history
from stability.store.columns import record_columns
from stability.store.progress import study_status
from stability.store.repair.examine import examine_files
from stability.store.seals import encode_digests, sha256
from stability.store.store import TableName
from stability.store.tables import RECORDS, RUNS, SCHEMAS, encode_table

COHORT = "c000-mlp"


def aged(store: Store, name: TableName, change: Callable[[pa.Table], pa.Table]) -> bytes:
    """Write one of the first cohort's tables as an older release would have; return the file."""
    folder = store.folder / "cohorts" / COHORT
    content = encode_table(change(store.table(COHORT, name)))
    digests = {**(store.digests(COHORT) or {}), f"{name}.parquet": sha256(content)}
    (folder / f"{name}.parquet").write_bytes(content)
    (folder / "digests.json").write_bytes(encode_digests(digests))
    return content


def without(*columns: str) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.drop_columns(list(columns))


def without_parameters(names: Sequence[str]) -> Callable[[pa.Table], pa.Table]:
    """A runs table of before there were these parameters."""

    def older(table: pa.Table) -> pa.Table:
        configs = [json.loads(text) for text in table["config"].to_pylist()]
        kept = [json.dumps({key: row[key] for key in row if key not in names}) for row in configs]
        place = table.column_names.index("config")
        return table.set_column(place, RUNS.field("config"), pa.array(kept)).drop_columns(list(names))

    return older


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path / "made")


@pytest.mark.parametrize(
    ("table", "number", "maybe"),
    [("evaluations", "confident_share", "class_agreement"), ("evaluations", "density", "diversity_within")],
)
def test_a_metric_that_was_not_taken_is_nan_or_null(
    store: Store, table: TableName, number: str, maybe: str
) -> None:
    whole = store.table(COHORT, table)
    aged(store, table, without(number, maybe))
    read = store.table(COHORT, table)
    assert read.column_names == whole.column_names
    assert {repr(value) for value in read[number].to_pylist()} == {"nan"}
    assert read[number].null_count == 0
    assert set(read[maybe].to_pylist()) == {None}
    kept = [name for name in whole.column_names if name not in (number, maybe)]
    assert plain(read.select(kept).to_pylist()) == plain(whole.select(kept).to_pylist())


def test_a_parameter_that_there_was_not_has_its_default(store: Store) -> None:
    whole = store.table(COHORT, "runs")
    aged(store, "runs", without_parameters(["packing", "train_size", "latent"]))
    assert store.table(COHORT, "runs").equals(whole)
    assert store.read_results(COHORT) == list(make_cohort(store.plan.cohorts[0].runs).results)


def test_a_run_of_another_value_than_the_default_is_not_the_planned_one(store: Store) -> None:
    aged(store, "runs", without_parameters(["n_dis"]))
    with pytest.raises(StabilityError, match="p0-wgan-gp-s0 was trained otherwise than planned"):
        store.table(COHORT, "runs")


def test_an_older_folder_is_whole_and_loaded_beside_cohorts_of_today(store: Store) -> None:
    old = aged(store, "evaluations", without("confident_share", "diversity_within"))
    aged(store, "runs", without_parameters(["packing"]))
    aged(store, "records", without("signal"))
    frames = load(store.folder)
    by_age = frames.evaluations.groupby(frames.evaluations["run"].isin(store.plan.cohorts[0].runs))
    assert by_age["confident_share"].apply(lambda column: column.isna().all()).to_dict() == {
        True: True,
        False: False,
    }
    assert set(frames.runs["packing"]) == {1}
    assert frames.records["signal"].isna().any()
    assert not frames.records["signal"].isna().all()
    assert examine_files(store).faults == ()
    assert (store.folder / "cohorts" / COHORT / "evaluations.parquet").read_bytes() == old


def test_single_columns_are_filled_too(store: Store) -> None:
    aged(store, "records", without("signal"))
    some = record_columns(store, COHORT, ["signal", "run"])
    assert some.column_names == ["signal", "run"]
    assert set(some["signal"].to_pylist()) == {None}
    with pytest.raises(KeyError, match="loss_x"):
        record_columns(store, COHORT, ["loss_x"])


def test_a_relabelled_older_cohort_is_one_of_today(store: Store) -> None:
    aged(store, "runs", without_parameters(["packing"]))
    results = {result.run: result for name in store.finished() for result in store.read_results(name)}
    store.relabel(results, study_yaml=store.study_yaml)
    with store.lock():
        assert store.table(COHORT, "runs")["packing"].to_pylist() == [1] * 5
    assert examine_files(store).faults == ()


def test_a_cohort_tells_which_rules_labelled_it_and_is_read_by_those_of_today(store: Store) -> None:
    """The labels of the made study are invented, those of the rules others."""
    invented = store.read_results(COHORT)
    assert not store.has_older_labels(COHORT)
    aged(store, "events", lambda events: events.replace_schema_metadata(None))
    assert store.has_older_labels(COHORT)
    assert study_status(store.folder)["older_labels"] == 1
    by_rules = store.read_results(COHORT)
    outcomes = parse_study(store.study_yaml).outcomes
    for result, history in zip(by_rules, store.read_cohort(COHORT).histories, strict=True):
        assert result == label(history, outcomes, horizon=store.plan.horizon, stopped=result.stopped)
    assert [result.outcome for result in by_rules] != [result.outcome for result in invented]
    others = {result.run: result for name in store.finished() for result in store.read_results(name)}
    store.relabel(others, study_yaml=store.study_yaml)
    assert study_status(store.folder)["older_labels"] == 0
    assert store.read_results(COHORT) == by_rules


def test_damaged_parameters_are_told(store: Store) -> None:
    def torn(table: pa.Table) -> pa.Table:
        place = table.column_names.index("config")
        return without("packing")(table.set_column(place, RUNS.field("config"), pa.array(["{"] * 5)))

    aged(store, "runs", torn)
    with pytest.raises(StabilityError, match=r"runs\.parquet: damaged") as caught:
        store.table(COHORT, "runs")
    assert "\n" not in str(caught.value)


def test_every_parameter_may_be_younger_than_a_file() -> None:
    table = pa.Table.from_pydict({"config": ["{}"]})
    schema = pa.schema([field for field in RUNS if field.name in {*Config.model_fields, "config"}])
    (row,) = with_younger_columns(table, schema).to_pylist()
    assert Config.model_validate_json(row.pop("config")) == Config()
    assert row == Config().model_dump()


def test_nothing_stands_for_a_name_or_a_step() -> None:
    needed = {
        field.name
        for schema in SCHEMAS.values()
        for field in schema
        if not field.nullable and not pa.types.is_floating(field.type)
    }
    assert {"run", "step", "outcome", "class_shares", "kind"} <= needed
    for name in ("run", "step", "layer_names_g"):
        with pytest.raises(ValueError, match=name):
            absent_value(RECORDS.field(name))


def test_a_checkpoint_of_before_a_metric_is_read() -> None:
    history = make_history("r")
    note = json.loads(json.dumps(encode_history(history)))
    del (
        note["evaluations"]["confident_share"],
        note["evaluations"]["class_agreement"],
        note["records"]["signal"],
    )
    read = decode_history(note)
    assert [repr(visit.confident_share) for visit in read.evaluations] == ["nan", "nan"]
    assert [visit.class_agreement for visit in read.evaluations] == [None, None]
    assert [record.signal for record in read.records] == [None] * 3
    assert plain([visit.sized for visit in read.evaluations]) == plain(
        [visit.sized for visit in history.evaluations]
    )


def test_a_plan_of_before_a_parameter_or_threshold_has_their_defaults(store: Store) -> None:
    fields: dict[str, Any] = json.loads((store.folder / "plan.json").read_bytes())
    del fields["sha256"], fields["stop_thresholds"]["new_ground"]
    for run in fields["runs"]:
        del run["config"]["packing"], run["config"]["ema_decay"]
    plan = Plan.from_json(json.dumps(fields))
    assert plan == store.plan
    assert plan.stop_thresholds == Thresholds()


def test_who_trained_is_not_known_of_an_older_cohort(store: Store) -> None:
    assert store.read_cohort(COHORT).machine == Machine("node-3", "Some CPU")
    aged(store, "runs", without("host", "processor"))
    assert store.read_cohort(COHORT).machine is None
    assert study_status(store.folder)["machines"] == [
        {"host": None, "processor": None, "cohorts": 1},
        {"host": "node-3", "processor": "Some CPU", "cohorts": 1},
    ]


def test_new_labels_leave_the_machine(store: Store) -> None:
    results = {result.run: result for name in store.finished() for result in store.read_results(name)}
    store.relabel(results, study_yaml=store.study_yaml)
    assert store.read_cohort(COHORT).machine == Machine("node-3", "Some CPU")


def test_a_number_that_a_record_may_lack_today_reads_as_it_was(store: Store) -> None:
    """Files of before a record could lack its losses say of each column that it has no null."""
    whole = store.table(COHORT, "records")
    before = load(store.folder).records_of()
    aged(store, "records", with_no_null_in("loss_d", "separation"))
    assert plain(store.table(COHORT, "records").to_pylist()) == plain(whole.to_pylist())
    pd.testing.assert_frame_equal(load(store.folder).records_of(), before)  # beside cohorts of today


def with_no_null_in(*columns: str) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.cast(
        pa.schema(
            [field.with_nullable(field.name not in columns and field.nullable) for field in table.schema]
        )
    )
