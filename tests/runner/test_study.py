from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from small_studies import (
    Listener,
    StopAfter,
    outcomes_by_run,
    result_bytes,
    rows_by_run,
    run_small,
    small_mnist,
    small_spec,
)

from stability.design.study_db import STUDY_DB
from stability.errors import StabilityError
from stability.reading.frames import load
from stability.records import Outcome
from stability.runner import job, materials
from stability.runner.materials import Resources
from stability.runner.replay import replay
from stability.runner.study import StudyRunner, relabel_study
from stability.spec import parse_study
from stability.store import Store
from stability.store.progress import run_states, study_status

SEARCH = ("design.sampler=tpe", "design.points=10", "design.seeds=1", "space.loss=[minimax, hinge]")
SHORT = ("training.steps=4", "recording.every=2", "recording.evaluate_every=4")


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to / folder.name))


def changes(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}


# --- the same study gives the same bytes ------------------------------------------------------------------


def test_the_same_plan_twice_gives_equal_bytes(finished: Path, tmp_path: Path) -> None:
    assert run_small(small_spec(), tmp_path / "again")
    assert result_bytes(tmp_path / "again") == result_bytes(finished)
    assert len(result_bytes(finished)) == 1 + 2 * 2 + 12


def test_another_study_seed_gives_other_records(finished: Path, tmp_path: Path) -> None:
    run_small(small_spec("design.seed=1", "design.points=1"), tmp_path / "other")
    other = rows_by_run(tmp_path / "other", "records")
    assert all(rows != rows_by_run(finished, "records")[run] for run, rows in other.items())


@pytest.mark.parametrize("size", [1, 3, 12])
def test_cohorts_of_another_size_give_equal_rows(finished: Path, tmp_path: Path, size: int) -> None:
    run_small(small_spec(f"training.cohort_size={size}"), tmp_path / "r")
    assert len(Store.open(tmp_path / "r").plan.cohorts) == 12 / size
    for table in ("records", "evaluations"):
        assert rows_by_run(tmp_path / "r", table) == rows_by_run(finished, table)
    assert outcomes_by_run(tmp_path / "r") == outcomes_by_run(finished)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 6, 8])
def test_an_interrupted_study_goes_on_to_equal_bytes(finished: Path, tmp_path: Path, k: int) -> None:
    """Of the four yields per cohort the second comes after a visit, the fourth after the last one."""
    folder = tmp_path / "r"
    assert not run_small(small_spec(), folder, stop=StopAfter(k))
    assert len(list((folder / "checkpoints").iterdir())) == 1
    assert len(Store.open(folder).finished()) == (k - 1) // 4
    listener = Listener()
    assert run_small(small_spec(), folder, listener=listener)
    assert listener.notes == [f"going on with c{(k - 1) // 4:04d} at step {10 * ((k - 1) % 4 + 1)}"]
    assert result_bytes(folder) == result_bytes(finished)
    assert not list((folder / "checkpoints").iterdir())


def test_a_study_stopped_at_every_yield_ends_with_equal_bytes(finished: Path, tmp_path: Path) -> None:
    calls = 1
    while not run_small(small_spec(), tmp_path / "r", stop=StopAfter(1)):
        calls += 1
    assert calls == 2 * 4 + 1
    assert result_bytes(tmp_path / "r") == result_bytes(finished)


def test_a_damaged_checkpoint_starts_its_cohort_over(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "r"
    run_small(small_spec(), folder, stop=StopAfter(3))
    checkpoint = next((folder / "checkpoints").iterdir())
    content = bytearray(checkpoint.read_bytes())
    content[-5] ^= 1
    checkpoint.write_bytes(content)
    listener = Listener()
    assert run_small(small_spec(), folder, listener=listener)
    assert listener.notes[0].startswith("starting c0000 over: ")
    assert listener.skips[0] == 0
    assert result_bytes(folder) == result_bytes(finished)


def test_checkpoints_are_written_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(job, "CHECKPOINT_SECONDS", -1.0)
    monkeypatch.setattr(Store, "write_checkpoint", lambda self, cohort, *_: written.append(cohort))
    assert run_small(small_spec("design.points=1", "design.seeds=1"), tmp_path / "r")
    assert written == ["c0000"] * 4


# --- what is told -----------------------------------------------------------------------------------------


def test_updates_done_before_are_skipped_and_not_trained(tmp_path: Path) -> None:
    run_small(small_spec(), tmp_path / "r", stop=StopAfter(3))
    listener = Listener()
    run_small(small_spec(), tmp_path / "r", listener=listener)
    assert listener.skips == [8 * 30, 0, 0]
    assert sum(listener.steps) == 8 * 10 + 4 * 40
    assert listener.cohorts == ["c0000", "c0001"]


def test_the_plan_and_every_cohort_are_told(tmp_path: Path) -> None:
    listener = Listener()
    run_small(small_spec(), tmp_path / "r", listener=listener)
    assert [(len(plan.runs), done) for plan, done in listener.plans] == [(12, 0)]
    assert sum(listener.steps) == 12 * 40
    assert {result.run: result.outcome for result in listener.results} == outcomes_by_run(tmp_path / "r")
    assert study_status(tmp_path / "r")["complete"]


# --- what a folder holds ----------------------------------------------------------------------------------


def test_a_finished_study_is_not_touched(finished: Path) -> None:
    before = changes(finished)
    listener = Listener()
    assert run_small(small_spec(), finished, listener=listener)
    assert changes(finished) == before
    assert (listener.steps, [done for _, done in listener.plans]) == ([], [12])


def test_a_missing_study_db_is_made_up_for(finished: Path, tmp_path: Path) -> None:
    folder = copied(finished, tmp_path)
    (folder / STUDY_DB).unlink()
    before = result_bytes(folder)
    assert run_small(small_spec(), folder)
    assert (folder / STUDY_DB).is_file()
    assert result_bytes(folder) == before


@pytest.mark.parametrize(
    ("overrides", "differs"),
    [
        (["training.steps=50"], "training.steps: 40 -> 50"),
        (
            ["design.points=1", "fixed.width=9", "name=other"],
            'name: "small" -> "other", fixed.width: 8 -> 9, design.points: 2 -> 1',
        ),
        (["outcomes.persist=2", "recording.every=5"], "recording.every: 10 -> 5, outcomes.persist: 3 -> 2"),
        (["space.lr.high=0.02", "fixed.n_dis=2"], "space.lr.high: 0.01 -> 0.02, fixed.n_dis: nothing -> 2"),
    ],
)
def test_another_study_in_the_same_folder_is_refused(
    finished: Path, overrides: list[str], differs: str
) -> None:
    before = changes(finished)
    with pytest.raises(StabilityError) as caught:
        run_small(small_spec(*overrides), finished)
    assert differs in str(caught.value)
    assert changes(finished) == before


def test_other_thresholds_are_sent_to_relabel(finished: Path) -> None:
    with pytest.raises(StabilityError, match="`stability relabel`"):
        run_small(small_spec("outcomes.persist=2"), finished)


def test_a_folder_with_anything_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(StabilityError, match=r"not empty and not a study's results, it holds 'letter.txt'"):
        run_small(small_spec(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    run_small(small_spec(), tmp_path / "r", stop=StopAfter(1))
    with Store.open(tmp_path / "r").lock(), pytest.raises(StabilityError, match="in use by process"):
        run_small(small_spec(), tmp_path / "r")


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        (Resources("cpu", threads=3), r"--threads 3: .* was planned with \d+"),
        (Resources("cuda:1"), r"--device cuda:1: .* was planned for cpu"),
    ],
)
def test_a_study_goes_on_with_what_it_was_planned_with(
    tmp_path: Path, resources: Resources, words: str
) -> None:
    run_small(small_spec(), tmp_path / "r", stop=StopAfter(1))
    with pytest.raises(StabilityError, match=words):
        run_small(small_spec(), tmp_path / "r", resources=resources)


def test_a_folder_is_looked_at_before_anything_is_loaded(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_small(small_spec(), tmp_path / "used", stop=StopAfter(1))
    (tmp_path / "letter.txt").write_text("dear")
    monkeypatch.setattr(materials, "load_dataset", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(StabilityError, match="not empty"):
        run_small(small_spec(), tmp_path)
    with pytest.raises(StabilityError, match=r"letter\.txt/r: Not a directory"):
        run_small(small_spec(), tmp_path / "letter.txt" / "r")
    with Store.open(tmp_path / "used").lock(), pytest.raises(StabilityError, match="in use by process"):
        run_small(small_spec(), tmp_path / "used")
    with monkeypatch.context() as patch:
        patch.setattr("stability.store.files.os.access", lambda *_: False)
        with pytest.raises(StabilityError, match="new: Permission denied"):
            run_small(small_spec(), tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["letter.txt", "used"]


def test_what_changed_since_the_start_is_kept_and_told(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "r"
    run_small(small_spec(), folder, stop=StopAfter(1))
    started = Store.open(folder).environment
    now = started["python"]
    Store.open(folder).replace_environment(started | {"python": "3.0", "fid_floors": "as they were"})
    listener = Listener()
    run_small(small_spec(), folder, stop=StopAfter(1), listener=listener)
    assert listener.notes[0] == "changed since the study was started: python"
    kept = Store.open(folder).environment
    assert kept["resumed"] == [{"python": {"was": "3.0", "is": now}}]
    assert (kept["python"], kept["fid_floors"]) == ("3.0", "as they were")
    assert run_small(small_spec(), folder)
    assert len(Store.open(folder).environment["resumed"]) == 2
    assert result_bytes(folder) == result_bytes(finished)


def test_nothing_is_noted_where_nothing_changed(tmp_path: Path) -> None:
    run_small(small_spec(), tmp_path / "r", stop=StopAfter(1))
    listener = Listener()
    run_small(small_spec(), tmp_path / "r", listener=listener)
    assert listener.notes == ["going on with c0000 at step 10"]
    assert "resumed" not in Store.open(tmp_path / "r").environment


def test_missing_data_names_the_field(tmp_path: Path) -> None:
    with pytest.raises(StabilityError, match=r"^study\.yaml: dataset: fashion-mnist: no data under"):
        run_small(small_spec("dataset=fashion-mnist"), tmp_path, resources=Resources("cpu", tmp_path))


def test_a_folder_of_images_is_kept_as_an_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(materials, "load_dataset", lambda *_, **__: small_mnist())
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    spec = small_spec("dataset=folder:images", "design.points=1", *SHORT)
    assert not run_small(spec, tmp_path / "r", stop=StopAfter(1))
    kept = parse_study(Store.open(tmp_path / "r").study_yaml)
    assert kept.dataset == f"folder:{tmp_path / 'images'}"
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run_small(kept, tmp_path / "r")
    with pytest.raises(StabilityError, match=r"would not compare: dataset: 'folder:.*elsewhere/images'"):
        run_small(spec, tmp_path / "r")


@pytest.mark.parametrize("name", ["dataset", "classifier"])
def test_other_images_or_features_than_before_are_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "r"
    run_small(small_spec(), folder, stop=StopAfter(1))
    environment = json.loads((folder / "environment.json").read_text())
    environment[name]["sha256"] = "another"
    (folder / "environment.json").write_text(json.dumps(environment))
    with pytest.raises(StabilityError, match=f"was started with another {name}"):
        run_small(small_spec(), folder)


# --- stopping early ---------------------------------------------------------------------------------------


WILD = [0.001, 1.0e5, 1.0e7, 1.0e30]
"""The first trains; the last is not finite after one step; those between diverge later, or never."""


def test_a_diverged_run_is_labelled_and_leaves_the_others_alone(tmp_path: Path) -> None:
    common = ("recording.every=1", "design.cross=[lr]", "space.loss=[wasserstein]")
    listener = Listener()
    run_small(small_spec("space.lr=[0.001]", *common), tmp_path / "healthy")
    run_small(small_spec(f"space.lr={WILD}", *common), tmp_path / "mixed", listener=listener)
    for table in ("records", "evaluations"):
        mixed, own = rows_by_run(tmp_path / "mixed", table), rows_by_run(tmp_path / "healthy", table)
        assert {run: mixed[run] for run in own} == own
    bad = [result for result in listener.results if result.outcome is Outcome.DIVERGED]
    assert {result.run for result in bad}.isdisjoint(own)
    assert sum(result.run.split("-")[1] == "1e30" for result in bad) == 4
    records = load(tmp_path / "mixed").records
    for result in bad:
        assert result.divergence is not None
        first, tensor = result.divergence.step, result.divergence.tensor
        values = records[records["run"] == result.run].set_index("step")
        assert np.isfinite(values.loc[: first - 1, ["loss_d", "loss_g"]]).all(axis=None)
        assert not np.isfinite(values.loc[first, tensor])
        assert first <= result.step == values.index.max() <= first + 1  # an update may overflow before a loss
        assert result.reason == f"{tensor} is not finite at step {first}"
        assert result.stopped
    assert {result.step for result in bad} > {1, max(result.step for result in bad)}
    assert sum(listener.steps) == sum(result.step for result in listener.results)
    assert sum(listener.steps) + sum(listener.skips) == 16 * 40


def test_a_diverged_run_may_train_on(tmp_path: Path) -> None:
    overrides = ("space.lr=[0.001, 1.0e30]", "design.cross=[lr]", "space.loss=[non-saturating]")
    for name, stop_on in (("on", "[]"), ("stops", "[diverged]")):
        run_small(small_spec(*overrides, f"training.stop_on={stop_on}"), tmp_path / name)
    assert outcomes_by_run(tmp_path / "on") == outcomes_by_run(tmp_path / "stops")
    on, stops = (load(tmp_path / name).runs.set_index("run") for name in ("on", "stops"))
    assert (on["step"] == 40).all()
    bad = on["outcome"] == Outcome.DIVERGED
    assert bad.sum() == 4
    assert (stops.loc[bad, "step"] == 10).all()
    on_records, stop_records = (rows_by_run(tmp_path / name, "records") for name in ("on", "stops"))
    assert {run: rows[: len(stop_records[run])] for run, rows in on_records.items()} == stop_records


def test_an_interrupted_study_remembers_what_stopped(tmp_path: Path) -> None:
    overrides = ("space.lr=[0.001, 1.0e30]", "design.cross=[lr]", "space.loss=[non-saturating]")
    run_small(small_spec(*overrides), tmp_path / "whole")
    for k in (1, 2, 3):
        run_small(small_spec(*overrides), tmp_path / str(k), stop=StopAfter(k))
        assert run_small(small_spec(*overrides), tmp_path / str(k))
        assert result_bytes(tmp_path / str(k)) == result_bytes(tmp_path / "whole")
        assert outcomes_by_run(tmp_path / str(k)) == outcomes_by_run(tmp_path / "whole")


def test_a_cohort_all_of_whose_runs_stop_is_finished(tmp_path: Path) -> None:
    spec = small_spec("space.lr=[1.0e30]", "space.loss=[minimax]")
    assert not run_small(spec, tmp_path / "r", stop=StopAfter(1))
    assert run_small(spec, tmp_path / "r")
    assert set(outcomes_by_run(tmp_path / "r").values()) == {Outcome.DIVERGED}
    assert (load(tmp_path / "r").runs["step"] == 10).all()


# --- relabelling ------------------------------------------------------------------------------------------

EASY = ("outcomes.stable_excess=1.0e9", "outcomes.stable_modes=0")


def test_relabelling_changes_labels_and_nothing_else(finished: Path, tmp_path: Path) -> None:
    folder = copied(finished, tmp_path)
    before, was = result_bytes(folder), outcomes_by_run(folder)
    changed = relabel_study(folder, EASY)
    assert result_bytes(folder) == before
    now = outcomes_by_run(folder)
    assert changed
    assert {run: (was[run], now[run]) for run in was if was[run] != now[run]} == changed
    assert {outcome for _, outcome in changed.values()} == {Outcome.STABLE}
    kept = parse_study(Store.open(folder).study_yaml)
    assert kept.outcomes.stable_excess == 1e9
    assert kept.outcomes.persist == small_spec().outcomes.persist
    assert run_small(small_spec(*EASY), folder)
    with pytest.raises(StabilityError, match="`stability relabel`"):
        run_small(small_spec("outcomes.stable_modes=0.5"), folder)


def test_a_file_without_thresholds_goes_on_with_those_of_the_study_whatever_the_defaults_are(
    finished: Path, tmp_path: Path
) -> None:
    folder = copied(finished, tmp_path)
    relabel_study(folder, EASY)
    labels, listener = outcomes_by_run(folder), Listener()
    assert StudyRunner(small_spec(), folder, Resources("cpu"), listener).is_finished()
    assert run_small(small_spec("design.points=3"), folder, listener=listener)
    assert labels.items() <= outcomes_by_run(folder).items()
    assert parse_study(Store.open(folder).study_yaml).outcomes.stable_excess == 1e9
    told = next(note for note in listener.notes if "not by today's defaults" in note)
    assert "outcomes.stable_modes: 0.0 -> 0.9" in told


def test_relabelling_back_gives_the_old_labels(finished: Path, tmp_path: Path) -> None:
    folder = copied(finished, tmp_path)
    default = small_spec().outcomes
    relabel_study(folder, EASY)
    names = ("stable_excess", "stable_modes")
    relabel_study(folder, [f"outcomes.{name}={getattr(default, name)}" for name in names])
    columns = [name for name in load(folder).runs.columns if name != "seconds"]
    assert load(folder).runs[columns].equals(load(finished).runs[columns])
    assert relabel_study(folder, []) == {}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.steps=3", "outcomes"),
        ("outcome.persist=3", "outcomes"),
        ("outcomes.persits=3", 'did you mean "persist"'),
        ("outcomes.persist=0", "at least 1"),
        ("outcomes={persist: 3}", "outcomes"),
    ],
)
def test_relabelling_takes_nothing_but_thresholds(finished: Path, override: str, words: str) -> None:
    before = changes(finished)
    with pytest.raises(StabilityError, match=words):
        relabel_study(finished, [override])
    assert changes(finished) == before


def test_what_is_under_way_is_labelled_with_the_new_thresholds(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    run_small(small_spec(), folder, stop=StopAfter(6))
    assert run_states(folder).keys() == {run.run for run in Store.open(folder).plan.runs}
    assert list(run_states(folder).values()).count("waiting") == 4
    relabel_study(folder, EASY)
    run_small(small_spec(*EASY), folder)
    whole = tmp_path / "whole"
    run_small(small_spec(*EASY), whole)
    assert outcomes_by_run(folder) == outcomes_by_run(whole)


STRICT = "outcomes={persist: 1, saturated_update: 1.0e+9}"
"""By a threshold this high both networks have stopped moving from the first visit on."""
MILD = ("outcomes.persist=9", "outcomes.saturated_update=1.0e-9")


def test_relabelling_leaves_the_rules_of_stopping_as_they_were(tmp_path: Path) -> None:
    stops = ("training.stop_on=[saturated]", "training.cohort_size=6")
    whole, folder = tmp_path / "whole", tmp_path / "r"
    run_small(small_spec(*stops, STRICT), whole)
    assert set(load(whole).runs["step"]) == {20}
    run_small(small_spec(*stops, STRICT), folder, stop=StopAfter(3))
    assert len(Store.open(folder).finished()) == 1
    relabel_study(folder, MILD)
    assert run_small(small_spec(*stops, STRICT, *MILD), folder)
    assert result_bytes(folder) == result_bytes(whole)
    assert Outcome.SATURATED not in outcomes_by_run(folder).values()
    for run in ("p000-minimax-s0", "p001-wasserstein-s1"):
        again = replay(folder, run, Resources("cpu"), Listener())
        assert (again.difference, again.result) == (None, again.stored)


# --- searching --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def searched(_small_world: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Listener]:
    folder, listener = tmp_path_factory.mktemp("results") / "tpe", Listener()
    assert run_small(small_spec(*SEARCH, *SHORT), folder, listener=listener)
    return folder, listener


def test_a_search_goes_by_rounds_of_eight(searched: tuple[Path, Listener]) -> None:
    folder, listener = searched
    assert [(len(plan.runs), done) for plan, done in listener.plans] == [(0, 0), (8, 0), (10, 8)]
    runs = load(folder).runs
    assert runs["adaptive"].all()
    assert sorted(runs["point"]) == list(range(10))
    assert runs["lr"].nunique() == 10
    assert study_status(folder)["complete"]


def test_a_fixed_design_is_not_adaptive(finished: Path) -> None:
    assert not load(finished).runs["adaptive"].any()


def test_the_same_search_twice_gives_equal_bytes(searched: tuple[Path, Listener], tmp_path: Path) -> None:
    run_small(small_spec(*SEARCH, *SHORT), tmp_path / "again")
    assert result_bytes(tmp_path / "again") == result_bytes(searched[0])


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_search_goes_on_between_rounds(searched: tuple[Path, Listener], tmp_path: Path, k: int) -> None:
    """Two yields per cohort, one cohort per round: the second stop is after the last step of a round."""
    folder = tmp_path / "r"
    assert not run_small(small_spec(*SEARCH, *SHORT), folder, stop=StopAfter(k))
    assert not study_status(folder)["complete"]
    assert len(Store.open(folder).plan.runs) == (8 if k < 3 else 10)
    assert run_small(small_spec(*SEARCH, *SHORT), folder)
    assert result_bytes(folder) == result_bytes(searched[0])


def test_a_finished_search_is_not_touched(searched: tuple[Path, Listener]) -> None:
    before = changes(searched[0])
    assert run_small(small_spec(*SEARCH, *SHORT), searched[0])
    assert changes(searched[0]) == before


# --- time ------------------------------------------------------------------------------------------------


def test_seconds_are_kept_but_not_among_the_records(finished: Path) -> None:
    """Timing differs from call to call, so it stands where equal bytes are not promised."""
    for cohort in ("c0000", "c0001"):
        names = {name: pq.read_schema(finished / "cohorts" / cohort / f"{name}.parquet").names
                 for name in ("runs", "records", "evaluations")}  # fmt: skip
        assert "seconds" in names["runs"]
        assert "seconds" not in names["records"] + names["evaluations"]
    assert (load(finished).runs["seconds"] > 0).all()
