from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_study import NAN, made_plan, make_cohort, make_evaluation, make_record, plain

from stability.errors import StabilityError
from stability.records import Divergence, Evaluation, Event, History, Outcome, Record, RunResult
from stability.spec import Config
from stability.store import tables
from stability.store.checkpoints import decode_history, encode_history
from stability.store.cohorts import CohortData, read_cohort_folder, write_cohort_folder
from stability.store.tables import (
    EVALUATIONS,
    EVENTS,
    RECORDS,
    RUNS,
    SCHEMAS,
    decode_table,
    encode_table,
    evaluations_table,
    read_evaluations,
    read_records,
    read_table,
    records_table,
    runs_table,
)

INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True)
TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
for kind, strategy in ((int, INTEGERS), (float, FLOATS), (str, TEXT)):
    st.register_type_strategy(kind, strategy)
SIZED = st.dictionaries(
    st.sampled_from(["fid_mnist_cnn_1024", "fid_other_9", "modes_pacgan_2048", "kl_pacgan_2048"]), FLOATS
)


def histories_of(run: str) -> st.SearchStrategy[History]:
    return st.builds(
        History,
        run=st.just(run),
        records=st.lists(st.builds(Record, run=st.just(run)), max_size=2).map(tuple),
        evaluations=st.lists(st.builds(Evaluation, run=st.just(run), sized=SIZED), max_size=2).map(tuple),
    )


def results_of(run: str) -> st.SearchStrategy[RunResult]:
    events = st.lists(st.builds(Event, run=st.just(run)), max_size=2).map(tuple)
    return st.builds(RunResult, run=st.just(run), events=events)


def read_back(path: Path) -> CohortData:
    return read_cohort_folder(
        path, {name: read_table(path / f"{name}.parquet", schema) for name, schema in SCHEMAS.items()}
    )


RUNS_USED = made_plan().runs[:2]


@st.composite
def cohorts(draw: st.DrawFn) -> CohortData:
    names = [run.run for run in RUNS_USED]
    return CohortData(
        results=tuple(draw(results_of(name)) for name in names),
        histories=tuple(draw(histories_of(name)) for name in names),
        seconds={name: draw(FLOATS) for name in names},
        filmstrips={},
    )


@settings(max_examples=25)
@given(data=cohorts())
def test_any_cohort_reads_back_exactly(data: CohortData, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("cohorts") / "c0"
    write_cohort_folder(path, RUNS_USED, data)
    read = read_back(path)
    assert plain(read) == plain(data)


@settings(max_examples=60)
@given(history=histories_of("r"))
def test_a_history_survives_a_checkpoints_note(history: History) -> None:
    assert plain(decode_history(json.loads(json.dumps(encode_history(history))))) == plain(history)


def test_nans_of_any_sign_give_equal_bytes() -> None:
    """What a processor makes of 0 x inf has its sign bit set; what a checkpoint reads back has not."""
    plus, minus = (
        make_record("r", 1, loss_d=nan, penalty=nan, layer_grad_norms_d=(nan,))
        for nan in (NAN, math.copysign(NAN, -1))
    )
    assert encode_table(records_table([plus])) == encode_table(records_table([minus]))


def test_null_and_nan_stay_two_things(tmp_path: Path) -> None:
    records = [
        make_record("r", 1, penalty=None, real_probability=NAN, loss_d=NAN),
        make_record("r", 2, penalty=NAN, real_probability=None, loss_d=-math.inf),
        make_record("r", 3, penalty=0.1, layer_grad_norms_g=(NAN, 1.0), layer_names_g=("a", "b")),
    ]
    path = tmp_path / "records.parquet"
    path.write_bytes(encode_table(records_table(records)))
    table = read_table(path, RECORDS)
    assert table["penalty"].null_count == 1
    assert table["loss_d"].null_count == 0
    first, second, third = read_records(table)
    assert first.penalty is None
    assert str(first.real_probability) == "nan"
    assert str(second.penalty) == "nan"
    assert second.real_probability is None
    assert second.loss_d == -math.inf
    assert math.isnan(third.layer_grad_norms_g[0])


def test_each_sized_metric_is_a_column_and_null_where_it_was_not_evaluated() -> None:
    visits = [
        make_evaluation("r", 250, sized={"fid_x_1024": 3.0}),
        make_evaluation("r", 500, sized={"modes_pacgan_2048": 7.0, "kl_pacgan_2048": NAN, "fid_x_1024": 2.0}),
    ]
    table = evaluations_table(visits)
    assert table.column_names == [
        *EVALUATIONS.names,
        *("fid_x_1024", "kl_pacgan_2048", "modes_pacgan_2048"),
    ]
    assert table["kl_pacgan_2048"].null_count == 1
    assert plain(read_evaluations(table)) == plain(visits)


def test_what_only_conditional_networks_have_may_be_null(tmp_path: Path) -> None:
    visits = [
        make_evaluation("r", 1, class_agreement=None, diversity_within=None),
        make_evaluation("r", 2, class_agreement=0.5, diversity_within=NAN),
    ]
    path = tmp_path / "evaluations.parquet"
    path.write_bytes(encode_table(evaluations_table(visits)))
    table = read_table(path, EVALUATIONS)
    assert (table["class_agreement"].null_count, table["diversity_within"].null_count) == (1, 1)
    assert not EVALUATIONS.field("confident_share").nullable
    assert plain(read_evaluations(table)) == plain(visits)


@pytest.mark.parametrize("name", ["fid_ratio", "fid_floor", "modes", "modes_covered_9"])
def test_a_sized_metric_cannot_take_another_columns_name(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        evaluations_table([make_evaluation("r", 1, sized={name: 1.0})])


def test_schemas_have_every_field_with_its_type() -> None:
    assert RECORDS.names == [field.name for field in dataclasses.fields(Record)]
    assert EVENTS.names == [field.name for field in dataclasses.fields(Event)]
    assert set(EVALUATIONS.names) | {"sized"} == {field.name for field in dataclasses.fields(Evaluation)}
    assert set(Config.model_fields) < set(RUNS.names)
    assert RECORDS.field("penalty").nullable
    assert RECORDS.field("loss_d").nullable
    assert RECORDS.field("layer_grad_norms_g").type == pa.list_(pa.float64())
    assert RUNS.field("weight_clip") == pa.field("weight_clip", pa.float64(), nullable=True)
    assert RUNS.field("n_dis") == pa.field("n_dis", pa.int64(), nullable=False)
    assert RUNS.field("loss") == pa.field("loss", pa.string(), nullable=False)


def test_runs_name_the_level_and_the_plain_loss(tmp_path: Path) -> None:
    plan = made_plan()
    names = plan.cohorts[0].runs
    write_cohort_folder(tmp_path / "c", plan.runs[:5], make_cohort(names))
    row = read_table(tmp_path / "c" / "runs.parquet", RUNS).to_pylist()[4]
    config = plan.runs[4].config
    assert (row["loss"], row["base_loss"], row["recipe"]) == ("wgan-gp", "wasserstein", "wgan-gp")
    assert (row["lr_d"], row["lr_g"], row["weight_clip"]) == (
        config.discriminator.lr,
        config.generator.lr,
        None,
    )
    assert Config.model_validate_json(row["config"]) == config
    assert row["seed"] == plan.runs[4].seed >= 2**63


def test_training_and_label_may_disagree_on_the_divergence(tmp_path: Path) -> None:
    run = RUNS_USED[0]
    history = History(run.run, (), (), Divergence(40, "fake"), last_step=40)
    early = RunResult(run.run, Outcome.NOISE, 30, "at a shorter horizon", (), None, stopped=False)
    data = CohortData((early,), (history,), {run.run: 1.0}, {})
    path = tmp_path / "c"
    write_cohort_folder(path, [run], data)
    read = read_back(path)
    assert (read.results, read.histories) == ((early,), (history,))


@pytest.mark.parametrize("what", ["result", "history", "seconds", "stranger", "filmstrip"])
def test_data_of_other_runs_is_refused(tmp_path: Path, what: str) -> None:
    names = tuple(run.run for run in RUNS_USED)
    data = make_cohort(names)
    wrong: dict[str, dict[str, Any]] = {
        "result": {"results": data.results[:1]},
        "history": {"histories": data.histories[:1]},
        "seconds": {"seconds": {names[0]: 1.0}},
        "stranger": {"results": (*data.results, dataclasses.replace(data.results[0], run="other"))},
        "filmstrip": {"filmstrips": {"other": data.filmstrips[names[1]]}},
    }
    with pytest.raises(ValueError, match="cohort c"):
        write_cohort_folder(tmp_path / "c", RUNS_USED, dataclasses.replace(data, **wrong[what]))
    assert not list(tmp_path.iterdir())


def lines_told_by_flips(
    path: Path, content: bytes, schema: pa.Schema, rows: Sequence[object], read: Callable[[pa.Table], object]
) -> list[str]:
    """Flip a bit in every 29th byte; each must be told, or change no value."""
    told = []
    for position in range(0, len(content), 29):
        flipped = content[position] ^ (1 << position % 8)
        path.write_bytes(content[:position] + bytes([flipped]) + content[position + 1 :])
        try:
            found = read(read_table(path, schema))
        except StabilityError as error:
            told.append(str(error))
        else:
            assert plain(found) == plain(rows), position
    return told


def test_a_flipped_bit_is_told_where_it_means_something(tmp_path: Path) -> None:
    records = [make_record("r", step) for step in range(1, 9)]
    visits = [make_evaluation("r", step) for step in (5, 9)]
    path = tmp_path / "table.parquet"
    told = lines_told_by_flips(path, encode_table(records_table(records)), RECORDS, records, read_records)
    told += lines_told_by_flips(
        path, encode_table(evaluations_table(visits)), EVALUATIONS, visits, read_evaluations
    )
    assert len(told) > 200
    assert all(line.startswith(f"{path}: damaged") and "\n" not in line for line in told)


@pytest.mark.parametrize("lost", ["run", "step", "layer_names_g"])
def test_a_table_without_what_nothing_stands_for_is_refused(tmp_path: Path, lost: str) -> None:
    path = tmp_path / "records.parquet"
    path.write_bytes(encode_table(records_table([make_record("r", 1)]).drop_columns([lost])))
    with pytest.raises(StabilityError, match=f"its columns differ: there is no '{lost}'"):
        read_table(path, RECORDS)


@pytest.mark.parametrize("change", ["younger", "moved", "other type"])
def test_a_table_with_other_columns_is_refused(tmp_path: Path, change: str) -> None:
    table = records_table([make_record("r", 1)])
    if change == "younger":
        table = table.append_column("later", pa.array([1.0]))
    elif change == "moved":
        table = table.select(table.column_names[::-1])
    else:
        table = table.set_column(1, "step", pa.array([1.0]))
    path = tmp_path / "records.parquet"
    path.write_bytes(encode_table(table))
    with pytest.raises(StabilityError, match="its columns differ, or another version wrote it"):
        read_table(path, RECORDS)


def test_a_truncated_table_is_told(tmp_path: Path) -> None:
    path = tmp_path / "records.parquet"
    path.write_bytes(encode_table(records_table([make_record("r", 1)]))[:-9])
    with pytest.raises(StabilityError, match=r"records\.parquet: damaged"):
        read_table(path, RECORDS)


def test_too_little_memory_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*_: Any, **__: Any) -> None:
        raise pa.ArrowMemoryError("malloc of size 9 failed")

    content = encode_table(runs_table([]))
    monkeypatch.setattr(tables.pq.ParquetFile, "read", short)
    with pytest.raises(MemoryError, match="malloc of size 9 failed"):
        decode_table(content, RUNS, source="runs.parquet")
