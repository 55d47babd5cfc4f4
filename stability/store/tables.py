"""Records, evaluations, events and runs as typed Arrow tables, and back. Imports records, spec and pyarrow.

Tables are built column by column, never through pandas, so that null ("does not apply") and NaN ("not a
number") stay two different things. Equal input gives equal Parquet bytes.
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

from stability.errors import StabilityError
from stability.records import (
    Divergence,
    Evaluation,
    Event,
    EventKind,
    History,
    Machine,
    Outcome,
    Record,
    RunResult,
)
from stability.spec import Config, Run
from stability.spec.problems import one_line
from stability.spec.thresholds import RULES
from stability.store.ages import RENAMED, with_younger_columns
from stability.vocabulary.metrics import EXTRA_PREFIXES

ARROW_TYPES: dict[Any, tuple[pa.DataType, bool]] = {
    bool: (pa.bool_(), False),
    int: (pa.int64(), False),
    int | None: (pa.int64(), True),
    float: (pa.float64(), False),
    float | None: (pa.float64(), True),
    str: (pa.string(), False),
    str | None: (pa.string(), True),
    EventKind: (pa.string(), False),
    tuple[float, ...]: (pa.list_(pa.float64()), False),
    tuple[str, ...]: (pa.list_(pa.string()), False),
}
"""How each type that a record's field may have is stored, and whether it can be null."""

OLDER_OUTCOMES = {"degraded", "unfinished", "unlearned"}
"""Of rules that are no more; see `stability.store.older_labels`."""
WORDS: dict[str, set[str]] = {"outcome": set(Outcome) | OLDER_OUTCOMES, "kind": set(EventKind)}
"""Columns that hold words of a list."""

JSON_TYPES = {"string": pa.string(), "number": pa.float64(), "integer": pa.int64(), "boolean": pa.bool_()}

SIZED_PREFIXES = ("fid_", *EXTRA_PREFIXES)
"""How the metrics begin that not every evaluation has."""
CONTENTS = "contents"
LABELLED_BY = b"rules"
"""In the metadata of events: the number of the rules that labelled the cohort; without one, the first."""


def _schema(row_type: type, *, without: str = "") -> pa.Schema:
    hints = get_type_hints(row_type)
    names = [field.name for field in dataclasses.fields(row_type) if field.name != without]
    return pa.schema([pa.field(name, *ARROW_TYPES[hints[name]]) for name in names])


RATES = ("lr_d", "lr_g")
"""What the networks are trained with, whichever parameters named it: never null, and behind the others."""


def _config_schema() -> pa.Schema:
    """A column for every parameter, with the type that its limits are written in."""
    fields = []
    properties: dict[str, Any] = Config.model_json_schema()["properties"]
    for name, field in ((name, field) for name, field in properties.items() if name not in RATES):
        options = [option["type"] for option in field.get("anyOf", [field])]
        fields.append(pa.field(name, JSON_TYPES[options[0]], nullable="null" in options))
    return pa.schema(fields)


RECORDS = _schema(Record)
EVENTS = _schema(Event)
EVALUATIONS = _schema(Evaluation, without="sized")
"""Without the metrics named by their sizes: each has a column of its own, after these."""
RUNS = pa.schema(
    [
        pa.field("run", pa.string(), False),
        pa.field("point", pa.int64(), False),
        pa.field("trial", pa.string(), False),
        pa.field("replicate", pa.int64(), False),
        pa.field("seed", pa.uint64(), False),
        pa.field("adaptive", pa.bool_(), False),
        pa.field("cohort", pa.string(), False),
        *_config_schema(),
        pa.field("base_loss", pa.string(), False),
        *(pa.field(name, pa.float64(), False) for name in RATES),
        pa.field("outcome", pa.string(), False),
        pa.field("step", pa.int64(), False),
        pa.field("reason", pa.string(), False),
        pa.field("stopped", pa.bool_(), False),
        pa.field("divergence_step", pa.int64(), True),
        pa.field("divergence_tensor", pa.string(), True),
        pa.field("last_step", pa.int64(), False),
        pa.field("first_bad_step", pa.int64(), True),
        pa.field("first_bad_tensor", pa.string(), True),
        pa.field("seconds", pa.float64(), False),
        pa.field("host", pa.string(), True),
        pa.field("processor", pa.string(), True),
        pa.field("config", pa.string(), False),
    ]
)
NULLABLE_INTEGERS = tuple(field.name for field in RUNS if field.nullable and field.type == pa.int64())
"""Columns of `RUNS` that pandas would otherwise turn into floats."""

SCHEMAS = {"runs": RUNS, "records": RECORDS, "evaluations": EVALUATIONS, "events": EVENTS}
"""The tables of a cohort, each in a file of its name."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """What runs.parquet says of one run: its plan, its label, and what training itself said of its end.

    A label may see a divergence that training did not (a record that is not finite), or be given at a
    shorter horizon, so its step and divergence are kept apart from training's.
    """

    run: Run
    cohort: str
    result: RunResult
    last_step: int
    divergence: Divergence | None
    seconds: float
    machine: Machine | None = None
    """None where an older release trained it."""


def records_table(records: Sequence[Record]) -> pa.Table:
    """One row per record."""
    return _table(RECORDS, records)


def read_records(table: pa.Table) -> list[Record]:
    """The records of a table, in its order."""
    lists = [field.name for field in RECORDS if pa.types.is_list(field.type)]
    return [Record(**_tupled(row, lists)) for row in table.select(RECORDS.names).to_pylist()]


def evaluations_table(evaluations: Sequence[Evaluation]) -> pa.Table:
    """One row per visit; every name in `sized` has its own column, null where that one was not evaluated.

    Raises `ValueError`: a name does not begin with one of `SIZED_PREFIXES`, so it would be mistaken for
    something else.
    """
    names = sorted({name for evaluation in evaluations for name in evaluation.sized})
    for name in names:
        if not name.startswith(SIZED_PREFIXES) or name in EVALUATIONS.names:
            raise ValueError(f"{name!r} names no metric by its size, as fid_<features>_<n> does")
    table = _table(EVALUATIONS, evaluations)
    for name in names:
        column = pa.array([_one_nan(evaluation.sized.get(name)) for evaluation in evaluations], pa.float64())
        table = table.append_column(pa.field(name, pa.float64(), True), column)
    return table


def read_evaluations(table: pa.Table) -> list[Evaluation]:
    """The evaluations of a table, in its order."""
    names = sized_columns(table.column_names)
    rows = table.to_pylist()
    evaluations = []
    for row in rows:
        values = {name: row.pop(name) for name in names}
        sized = {name: value for name, value in values.items() if value is not None}
        evaluations.append(Evaluation(**_tupled(row, ["class_shares"]), sized=sized))
    return evaluations


def sized_columns(names: Iterable[str]) -> list[str]:
    """Which columns of an evaluations table are metrics of `sized`."""
    return [name for name in names if name.startswith(SIZED_PREFIXES) and name not in EVALUATIONS.names]


def events_table(results: Sequence[RunResult]) -> pa.Table:
    """One row per event, in the order of the runs; its metadata tell by which rules, and are read with it."""
    events = _table(EVENTS, [event for result in results for event in result.events])
    return events.replace_schema_metadata({LABELLED_BY: str(RULES)})


def read_events(table: pa.Table) -> dict[str, tuple[Event, ...]]:
    """The events of a table by run."""
    events: dict[str, tuple[Event, ...]] = {}
    for row in table.select(EVENTS.names).to_pylist():
        event = Event(**(row | {"kind": EventKind(row["kind"])}))
        events[event.run] = (*events.get(event.run, ()), event)
    return events


def runs_table(rows: Sequence[RunRow]) -> pa.Table:
    """One row per run: where it stands in the design, its configuration and how it ended."""
    return pa.Table.from_pylist([_run_fields(row) for row in rows], schema=RUNS)


def relabelled_rows(
    runs: pa.Table, plan: Mapping[str, Run], results: Mapping[str, RunResult]
) -> list[RunRow]:
    """The rows of a runs table with new results; what training said is kept."""
    return [
        RunRow(
            run=plan[row["run"]],
            cohort=row["cohort"],
            result=results[row["run"]],
            last_step=row["last_step"],
            divergence=_divergence(row["first_bad_step"], row["first_bad_tensor"]),
            seconds=row["seconds"],
            machine=_machine(row),
        )
        for row in runs.to_pylist()
    ]


def read_results(runs: pa.Table, events: Mapping[str, tuple[Event, ...]]) -> list[RunResult]:
    """The results in a runs table, with their events, in its order."""
    return [
        RunResult(
            run=row["run"],
            outcome=Outcome(row["outcome"]),
            step=row["step"],
            reason=row["reason"],
            events=events.get(row["run"], ()),
            divergence=_divergence(row["divergence_step"], row["divergence_tensor"]),
            stopped=row["stopped"],
        )
        for row in runs.to_pylist()
    ]


def read_histories(runs: pa.Table, records: pa.Table, evaluations: pa.Table) -> list[History]:
    """The histories of the runs in a runs table, in its order."""
    recorded: dict[str, list[Record]] = {}
    for record in read_records(records):
        recorded.setdefault(record.run, []).append(record)
    visited: dict[str, list[Evaluation]] = {}
    for evaluation in read_evaluations(evaluations):
        visited.setdefault(evaluation.run, []).append(evaluation)
    return [
        History(
            run=row["run"],
            records=tuple(recorded.get(row["run"], ())),
            evaluations=tuple(visited.get(row["run"], ())),
            divergence=_divergence(row["first_bad_step"], row["first_bad_tensor"]),
            last_step=row["last_step"],
        )
        for row in runs.to_pylist()
    ]


def encode_table(table: pa.Table) -> bytes:
    """The table as Parquet: options pinned, pages with checksums, nothing that depends on the time."""
    buffer = io.BytesIO()
    pq.write_table(
        table.replace_schema_metadata(
            {**(table.schema.metadata or {}), CONTENTS: _contents(table.num_rows, table.column_names)}
        ),
        buffer,
        version="2.6",
        data_page_version="1.0",
        compression="zstd",
        compression_level=3,
        use_dictionary=True,
        write_statistics=True,
        write_page_checksum=True,
        row_group_size=1 << 20,
    )
    return buffer.getvalue()


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """Read a table that `encode_table` wrote, as `decode_table` does.

    Raises `StabilityError`: the file is damaged or cannot be read; `FileNotFoundError`: it is not there.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StabilityError(f"{path}: {error.strerror or error}") from None
    return decode_table(content, schema, source=str(path))


def decode_table(content: bytes, schema: pa.Schema, *, source: str) -> pa.Table:
    """Read what `encode_table` wrote, checking its pages and columns; errors name `source`.

    Metrics named by their sizes may follow the schema's columns; those that are younger than the file are
    filled, as `stability.store.ages` says.

    Raises `StabilityError`: it is damaged.
    """
    with whole_parquet(source):
        file = pq.ParquetFile(io.BytesIO(content), page_checksum_verification=True)
        table = file.read(use_threads=False)
        table.validate(full=True)
        check_columns(table.schema, table.num_rows, schema)
        by = {name: value for name, value in (table.schema.metadata or {}).items() if name == LABELLED_BY}
        table = with_younger_columns(table, schema).replace_schema_metadata(by or None)
    _check_words(table, source)
    return table


@contextmanager
def whole_parquet(source: str) -> Iterator[None]:
    """Tell as a `StabilityError` that what is read in the block is damaged."""
    try:
        yield
    except MemoryError:  # which Arrow's is, too
        raise
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise StabilityError(f"{source}: damaged or unreadable ({one_line(str(error), 200)})") from None


def check_columns(found: pa.Schema, rows: int, schema: pa.Schema) -> None:
    """Raise `ValueError` where a file has not the columns it was written with, or not such as a schema's.

    It may lack what younger releases have added, have a number everywhere that may be null today, and have
    metrics named by their sizes after the others.
    """
    named = [field.with_name(RENAMED.get(field.name, field.name)) for field in found]
    names = [field.name for field in named]
    fields = [field for field in schema if field.name in names]
    extra = names[len(fields) :]
    pairs = zip(fields, named, strict=False)
    allowed = [field.with_nullable(field.nullable and own.nullable) for field, own in pairs]
    written = (found.metadata or {}).get(CONTENTS.encode())
    is_kind = named[: len(fields)] == allowed and extra == sized_columns(extra)
    if written != _contents(rows, found.names).encode() or not is_kind:
        raise ValueError("its columns differ, or another version wrote it")


def _check_words(table: pa.Table, source: str) -> None:
    """Refuse an outcome or a kind of event that there is none of; its readers would take it for a bug."""
    for name, words in WORDS.items():
        found = set(table[name].unique().to_pylist()) if name in table.column_names else set()
        if strangers := sorted(found - words):
            raise StabilityError(f"{source}: damaged, its {name} holds {one_line(repr(strangers[0]))}")


def _contents(rows: int, names: Sequence[str]) -> str:
    """Rows and columns in words, for the checksums of the pages do not cover what the footer says of them."""
    return f"{rows} {' '.join(names)}"


def _table(schema: pa.Schema, rows: Sequence[object]) -> pa.Table:
    columns = [pa.array([_one_nan(getattr(row, field.name)) for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _one_nan(value: Any) -> Any:
    """Every NaN with the same bits: a checkpoint's JSON knows but one, and files are compared by bytes."""
    if isinstance(value, tuple):
        return [_one_nan(item) for item in value]
    return math.nan if isinstance(value, float) and math.isnan(value) else value


def _tupled(row: dict[str, Any], lists: Sequence[str]) -> dict[str, Any]:
    return row | {name: tuple(row[name]) for name in lists}


def read_machine(runs: pa.Table) -> Machine | None:
    """Where the runs of a runs table were trained; None where an older release did."""
    rows = runs.select(["host", "processor"]).slice(0, 1).to_pylist()
    return _machine(rows[0]) if rows else None


def _machine(row: Mapping[str, Any]) -> Machine | None:
    return None if row["host"] is None else Machine(row["host"], row["processor"])


def _divergence(step: int | None, tensor: str | None) -> Divergence | None:
    return None if step is None or tensor is None else Divergence(step, tensor)


def _divergence_fields(divergence: Divergence | None, step: str, tensor: str) -> dict[str, Any]:
    return {step: divergence and divergence.step, tensor: divergence and divergence.tensor}


def planned_fields(run: Run, cohort: str) -> dict[str, Any]:
    """What a runs table says of a run before it is trained."""
    config = run.config
    parameters = config.model_dump()
    return parameters | {
        "run": run.run,
        "point": run.point,
        "trial": run.trial,
        "replicate": run.replicate,
        "seed": run.seed,
        "adaptive": run.adaptive,
        "cohort": cohort,
        "loss": config.recipe or config.loss,
        "base_loss": config.loss,
        **config.rates,
        "config": json.dumps(parameters),
    }


def _run_fields(row: RunRow) -> dict[str, Any]:
    result = row.result
    return planned_fields(row.run, row.cohort) | {
        "outcome": result.outcome.value,
        "step": result.step,
        "last_step": row.last_step,
        "reason": result.reason,
        "stopped": result.stopped,
        **_divergence_fields(result.divergence, "divergence_step", "divergence_tensor"),
        **_divergence_fields(row.divergence, "first_bad_step", "first_bad_tensor"),
        "seconds": row.seconds,
        "host": row.machine and row.machine.host,
        "processor": row.machine and row.machine.processor,
    }
