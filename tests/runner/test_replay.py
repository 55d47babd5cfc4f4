from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from small_studies import Listener, StopAfter, run_small, small_spec

from stability.errors import StabilityError
from stability.records import History
from stability.runner.materials import Resources
from stability.runner.replay import Replay, first_difference, replay
from stability.store import Store
from stability.store.seals import encode_digests, sha256
from stability.store.tables import encode_table

MIXED = (
    "space.architecture=[mlp, dcgan]",
    "space.batchnorm=[generator]",
    "design.cross=[architecture, loss]",
    "training.steps=20",
    "recording.evaluate_every=10",
)


def replayed(folder: Path, run: str, **resources: Any) -> Replay:
    return replay(folder, run, Resources(**resources), Listener())


@pytest.fixture(scope="module")
def mixed(_small_world: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "mixed"
    assert run_small(small_spec(*MIXED), folder)
    return folder


@pytest.mark.parametrize(
    "run",
    [
        "p000-mlp-minimax-s0",
        "p001-mlp-wasserstein-s1",
        "p000-dcgan-non-saturating-s1",
        "p001-dcgan-minimax-s0",
    ],
)
def test_a_run_of_a_mixed_cohort_comes_again_bit_for_bit(mixed: Path, run: str) -> None:
    again = replayed(mixed, run)
    assert again.difference is None
    assert again.stored == again.result
    assert again.environment_changes == ()
    assert again.summary()["equal"] is True
    assert json.loads(json.dumps(again.summary()))["run"] == run
    assert "bit for bit" in again.in_words()


@pytest.mark.usefixtures("_small_world")
@pytest.mark.parametrize(
    ("dataset", "samples"), [("ring", (64, 200)), ("dirac", (64, 64)), ("mnist", (64, 128))]
)
def test_metrics_of_several_names_and_sizes_come_again(
    tmp_path: Path, dataset: str, samples: tuple[int, int]
) -> None:
    sizes = [f"recording.samples={samples[0]}", f"recording.final_samples={samples[1]}"]
    spec = small_spec(*MIXED, "space.architecture=[mlp]", f"dataset={dataset}", *sizes)
    assert run_small(spec, tmp_path / "s")
    again = replayed(tmp_path / "s", "p000-mlp-minimax-s0")
    assert (again.difference, again.environment_changes) == (None, ())


@pytest.mark.parametrize(
    ("table", "column", "step"),
    [("records", "loss_d", 10), ("records", "signal", 20), ("evaluations", "kl", 20)],
)
def test_a_planted_change_is_found(mixed: Path, tmp_path: Path, table: Any, column: str, step: int) -> None:
    folder = tmp_path / "r"
    shutil.copytree(mixed, folder)
    run = "p000-mlp-minimax-s0"
    change(folder, run, table, column, step)
    again = replayed(folder, run)
    assert again.difference is not None
    assert again.difference.startswith(f"{column} at step {step}: ")
    assert again.summary()["equal"] is False
    assert "first difference" in again.in_words()
    assert replayed(folder, "p000-mlp-minimax-s1").difference is None


def change(folder: Path, run: str, table: Any, column: str, step: int) -> None:
    """One number by one bit, in a table that is otherwise whole."""
    store = Store.open(folder)
    cohort = next(cohort.id for cohort in store.plan.cohorts if run in cohort.runs)
    stored = store.table(cohort, table)
    rows = stored.to_pylist()
    row = next(row for row in rows if (row["run"], row["step"]) == (run, step))
    row[column] *= 1 + 2**-52
    path = folder / "cohorts" / cohort / f"{table}.parquet"
    path.write_bytes(encode_table(pa.Table.from_pylist(rows, schema=stored.schema)))
    digests = (store.digests(cohort) or {}) | {path.name: sha256(path.read_bytes())}
    (path.parent / "digests.json").write_bytes(encode_digests(digests))


def test_a_run_of_another_environment_says_what_changed(mixed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "r"
    shutil.copytree(mixed, folder)
    environment = json.loads((folder / "environment.json").read_text())
    environment["python"] = "3.0"
    (folder / "environment.json").write_text(json.dumps(environment))
    again = replayed(folder, "p000-mlp-minimax-s0")
    assert len(again.environment_changes) == 1
    assert again.environment_changes[0].startswith("python: 3.0 -> 3.")
    assert "environment changed: python" in again.in_words()


def test_what_had_changed_while_the_study_ran_is_told(mixed: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(mixed, tmp_path / "r"))
    store = Store.open(folder)
    change = {"libraries.torch": {"was": "1.0", "is": "2.0"}}
    store.replace_environment(store.environment | {"resumed": [change, change], "migrated_from": 1})
    again = replayed(folder, "p000-mlp-minimax-s0")
    assert again.environment_changes == (
        "the study was resumed with libraries.torch: 1.0 -> 2.0",
        "trained under format 1",
    )


def test_an_unfinished_run_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    run_small(small_spec(), tmp_path / "r", stop=StopAfter(1))
    again = replayed(tmp_path / "r", "p000-minimax-s0")
    assert (again.stored, again.difference, again.summary()["equal"]) == (None, None, False)
    assert "nothing is stored" in again.in_words()


def test_a_diverged_run_comes_again(tmp_path: Path) -> None:
    run_small(small_spec("space.lr=[0.001, 1.0e30]", "design.cross=[lr]"), tmp_path / "r")
    again = replayed(tmp_path / "r", "p000-1e30-s0")
    assert again.difference is None
    assert again.stored == again.result
    assert again.result.divergence is not None


def test_the_steps_of_a_replay_are_told(mixed: Path) -> None:
    listener = Listener()
    replay(mixed, "p000-mlp-minimax-s0", Resources(), listener)
    ((plan, done),) = listener.plans
    assert ([run.run for run in plan.runs], done) == (["p000-mlp-minimax-s0"], 0)
    assert sum(listener.steps) == 20


def test_an_unknown_run_is_told(mixed: Path, tmp_path: Path) -> None:
    with pytest.raises(StabilityError, match=r"no run 'p9'; `stability status .* --runs` lists them"):
        replayed(mixed, "p9")
    with pytest.raises(StabilityError, match="no such results folder"):
        replayed(tmp_path / "none", "p9")


def test_differences_are_told_in_the_order_of_steps(mixed: Path) -> None:
    history = Store.open(mixed).read_cohort("c0000").histories[0]
    shorter = dataclasses.replace(history, evaluations=history.evaluations[:-1])
    fewer = dataclasses.replace(history, records=history.records[:-1])
    ended = dataclasses.replace(history, last_step=history.last_step - 1)
    changed = dataclasses.replace(history, records=with_loss(history, 1, 7.0))
    both = dataclasses.replace(changed, evaluations=())
    assert first_difference(history, history) is None
    assert first_difference(history, shorter) == "2 evaluations were stored, 1 came again"
    assert first_difference(history, fewer) == "2 records were stored, 1 came again"
    assert first_difference(history, ended) == "the end: step 20 was stored, step 19 came again"
    loss = history.records[1].loss_d
    assert first_difference(history, changed) == f"loss_d at step 20: {loss} was stored, 7.0 came again"
    assert first_difference(history, both) == first_difference(history, changed)


def test_nan_equals_nan(mixed: Path) -> None:
    history = Store.open(mixed).read_cohort("c0000").histories[0]
    broken, again = (
        dataclasses.replace(history, records=with_loss(history, 0, float(text))) for text in ("nan", "-nan")
    )
    assert first_difference(broken, again) is None
    assert first_difference(broken, history) is not None


def with_loss(history: History, index: int, loss: float) -> tuple[Any, ...]:
    records = list(history.records)
    records[index] = dataclasses.replace(records[index], loss_d=loss)
    return tuple(records)
