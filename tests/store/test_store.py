from __future__ import annotations

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from made_study import (
    STUDY,
    dying,
    file_bytes,
    made_plan,
    make_cohort,
    make_store,
    make_view,
    make_weights,
    plain,
    with_weights,
)

from stability.errors import StabilityError
from stability.records import Outcome, RunResult
from stability.store import (
    FORMAT_VERSION,
    DamagedCheckpoint,
    PlannedCohort,
    Store,
    cohorts,
    files,
    read_filmstrip,
    read_latent_view,
)
from stability.store.folder import LOCK
from stability.store.seals import sha256
from stability.store.transaction import apply_pending

FIRST, SECOND = (cohort.id for cohort in made_plan().cohorts)
NEW_STUDY = STUDY + "outcomes: {stable_excess: 2.0}\n"


def test_a_new_study_is_written_before_any_work(tmp_path: Path) -> None:
    Store.create(tmp_path / "r", study_yaml=STUDY, plan=made_plan(), environment={"threads": 2})
    store = Store.open(tmp_path / "r")
    assert (store.plan, store.study_yaml) == (made_plan(), STUDY)
    assert store.environment == {"threads": 2, "study": {"sha256": sha256(STUDY.encode())}}
    assert store.finished() == set()


def test_equal_plans_give_equal_bytes(tmp_path: Path) -> None:
    one = make_store(tmp_path / "one")
    two = Store.create(tmp_path / "two", study_yaml=STUDY, plan=made_plan(), environment={})
    for cohort in reversed(two.plan.cohorts):
        data = make_cohort(cohort.runs)
        slower = {run: 99.0 for run in cohort.runs}
        shuffled = dataclasses.replace(
            data, histories=data.histories[::-1], results=data.results[::-1], seconds=slower
        )
        two.write_cohort(cohort.id, shuffled)
    ones, twos = file_bytes(one.folder), file_bytes(two.folder)
    assert set(ones) == set(twos)
    differing = {Path(name).name for name in ones if ones[name] != twos[name]}
    assert differing - {".lock"} == {"runs.parquet", "digests.json"}


def test_a_cohort_reads_back(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r")
    data = make_cohort(store.plan.cohorts[1].runs)
    assert plain(Store.open(tmp_path / "r").read_cohort(SECOND)) == plain(data)
    run = data.results[1].run
    assert plain(read_filmstrip(store.picture(run))) == plain(data.filmstrips[run])
    with pytest.raises(StabilityError, match="no run 'x'"):
        store.picture("x")


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_at_any_file_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    store = make_store(tmp_path / "r", finish=0)
    before = file_bytes(store.folder)
    data = with_weights(make_cohort(store.plan.cohorts[0].runs))
    n_files = 4 + len(data.filmstrips) + len(data.weights) + len(data.latent_views)
    for last in range(n_files):
        count = iter(range(n_files))

        def fail_at_last(path: Path, content: bytes, count: Iterator[int] = count, last: int = last) -> None:
            if next(count) == last:
                raise failure
            files.write_flushed(path, content)

        monkeypatch.setattr(cohorts, "write_flushed", fail_at_last)
        expected = StabilityError if isinstance(failure, OSError) else KeyboardInterrupt
        with pytest.raises(expected):
            store.write_cohort(FIRST, data)
        assert store.finished() == set()
        assert file_bytes(store.folder) == before
    monkeypatch.undo()
    store.write_cohort(FIRST, data)
    assert store.finished() == {FIRST}


def test_weights_and_views_read_back_run_by_run(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r", finish=0)
    runs = store.plan.cohorts[0].runs
    data = with_weights(make_cohort(runs))
    store.write_cohort(FIRST, data)
    for place, run in enumerate(runs):
        weights = Store.open(store.folder).weights(run)
        assert set(weights) == set(make_weights())
        for name, value in data.weights[run].items():
            assert weights[name].tobytes() == value.tobytes()
            assert weights[name].shape == value.shape
        assert np.isnan(weights["generator.body.0.weight"]).all() == (place == 0)
        view = read_latent_view(store.latent_view(run))
        np.testing.assert_array_equal(view.images, make_view().images)


def test_where_no_weights_are_it_says_why(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r", finish=1)
    trained, waiting = (cohort.runs[0] for cohort in store.plan.cohorts)
    with pytest.raises(StabilityError, match=f"{trained} was trained without recording.keep_weights"):
        store.weights(trained)
    with pytest.raises(StabilityError, match=f"{waiting} has not finished yet"):
        store.weights(waiting)
    for ask in (store.weights, store.latent_view):
        with pytest.raises(StabilityError, match="no run 'x'"):
            ask("x")
    assert not list(store.folder.rglob("weights")) + list(store.folder.rglob("latent"))


def test_damaged_weights_are_told(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r", finish=0)
    run = store.plan.cohorts[0].runs[1]
    store.write_cohort(FIRST, with_weights(make_cohort(store.plan.cohorts[0].runs)))
    path = store.folder / "cohorts" / FIRST / "weights" / f"{run}.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(StabilityError, match=rf"{run}\.safetensors: damaged, its digest does not match"):
        store.weights(run)


@pytest.mark.parametrize("what", ["filmstrips", "weights", "latent_views"])
def test_pictures_and_weights_of_strangers_are_refused(tmp_path: Path, what: str) -> None:
    store = make_store(tmp_path / "r", finish=0)
    data = with_weights(make_cohort(store.plan.cohorts[0].runs))
    strange = {"stranger": next(iter(getattr(data, what).values()))}
    with pytest.raises(ValueError, match=rf"{what.replace('_', ' ')} of \['stranger'\]"):
        store.write_cohort(FIRST, dataclasses.replace(data, **{what: strange}))
    assert store.finished() == set()


KILLED = """
import os, signal, sys
from collections.abc import Callable, Iterator
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from made_study import make_cohort
from stability.store import Store, cohorts, files
def write_and_die(path, content):
    files.write_flushed(path, content[: len(content) // 2])
    if path.name == "events.parquet":
        os.kill(os.getpid(), signal.SIGKILL)
cohorts.write_flushed = write_and_die
store = Store.open(Path(sys.argv[1]))
with store.lock():
    store.write_cohort(store.plan.cohorts[1].id, make_cohort(store.plan.cohorts[1].runs))
"""


def test_a_killed_writer_leaves_nothing_that_is_believed_and_the_next_clears_up(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r", finish=1)
    before = file_bytes(store.folder / "cohorts")
    command = [sys.executable, "-c", KILLED, str(store.folder), str(Path(__file__).parent)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert list((store.folder / "cohorts").glob(".*.tmp-*"))
    assert Store.open(store.folder).finished() == {FIRST}
    with store.lock():
        assert file_bytes(store.folder / "cohorts") == before
        store.write_cohort(SECOND, make_cohort(store.plan.cohorts[1].runs))
    assert store.finished() == {FIRST, SECOND}


def test_a_finished_cohort_is_never_written_twice(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r")
    before = file_bytes(store.folder)
    with pytest.raises(ValueError, match="already there"):
        store.write_cohort(FIRST, make_cohort(store.plan.cohorts[0].runs))
    assert file_bytes(store.folder) == before


def test_a_checkpoint_lasts_until_its_cohort_is_finished(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r", finish=0)
    assert store.read_checkpoint(FIRST) is None
    store.write_checkpoint(FIRST, {"w": np.ones(3)}, {"step": 1})
    store.write_checkpoint(FIRST, {"w": np.zeros(3)}, {"step": 2})
    read = Store.open(store.folder).read_checkpoint(FIRST)
    assert isinstance(read, tuple)
    arrays, note = read
    assert (arrays["w"].tolist(), note) == ([0, 0, 0], {"step": 2})
    store.write_cohort(FIRST, make_cohort(store.plan.cohorts[0].runs))
    assert store.read_checkpoint(FIRST) is None


def test_a_damaged_checkpoint_says_so(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r", finish=0)
    store.write_checkpoint(FIRST, {"w": np.ones(3)}, {})
    path = store.folder / "checkpoints" / f"{FIRST}.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    damaged = store.read_checkpoint(FIRST)
    assert isinstance(damaged, DamagedCheckpoint)
    assert str(path) in damaged.reason


def new_results(store: Store, outcome: Outcome = Outcome.DOMINATED) -> dict[str, RunResult]:
    results = [result for cohort in store.finished() for result in store.read_cohort(cohort).results]
    return {
        result.run: dataclasses.replace(result, outcome=outcome, events=result.events[:1])
        for result in results
    }


def outcomes(store: Store) -> set[Outcome]:
    return {result.outcome for cohort in (FIRST, SECOND) for result in store.read_cohort(cohort).results}


def test_relabelling_changes_labels_and_nothing_else(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r")
    before, data = file_bytes(store.folder), store.read_cohort(FIRST)
    results = new_results(store)
    store.relabel(results, study_yaml=NEW_STUDY)
    after = file_bytes(store.folder)
    changed = {Path(name).name for name in before if before[name] != after[name]}
    labels = {"runs.parquet", "events.parquet", "digests.json"}
    assert (set(after), changed) == (set(before), {*labels, "study.yaml", "environment.json"})
    assert store.environment["study"] == {"sha256": sha256(NEW_STUDY.encode())}
    new = tuple(results[result.run] for result in data.results)
    assert plain(store.read_cohort(FIRST)) == plain(dataclasses.replace(data, results=new))
    assert store.study_yaml == NEW_STUDY


def test_relabelling_needs_every_finished_run(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r", finish=1)
    results = new_results(store)
    store.relabel(results, study_yaml=NEW_STUDY)
    results.popitem()
    with pytest.raises(ValueError, match="no new result"):
        store.relabel(results, study_yaml=NEW_STUDY)


def test_a_relabelling_cut_short_anywhere_is_seen_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its renames are counted and each in turn is the last; one commits, five move files into place."""
    store = make_store(tmp_path / "r")
    old, seen = outcomes(store), []
    for last, outcome in enumerate([Outcome.DOMINATED, Outcome.OSCILLATING, *[Outcome.COLLAPSED] * 4]):
        results = new_results(store, outcome)
        with monkeypatch.context() as patch:
            count = iter(range(100))
            patch.setattr(Path, "rename", dying(Path.rename, count, last))
            patch.setattr(Path, "replace", dying(Path.replace, count, last))
            with pytest.raises(KeyboardInterrupt):
                store.relabel(results, study_yaml=NEW_STUDY)
        reader = Store.open(store.folder)
        expected = (old, STUDY) if last == 0 else ({outcome}, NEW_STUDY)
        assert (outcomes(reader), reader.study_yaml) == expected
        seen.append((store.folder / "labels").exists())
        with store.lock():
            assert not (store.folder / "labels").exists()
        assert (outcomes(reader), reader.study_yaml) == expected
    assert seen == [False, True, True, True, True, True]


def test_pending_labels_are_applied_once(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r")
    before = file_bytes(store.folder)
    apply_pending(store.folder)
    assert file_bytes(store.folder) == before


def test_a_plan_can_be_replaced(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r", finish=1)
    more = dataclasses.replace(
        store.plan, cohorts=(*store.plan.cohorts[:1], PlannedCohort("c9", store.plan.cohorts[1].runs))
    )
    reader = Store.open(store.folder)
    store.replace_plan(more)
    assert store.plan == Store.open(store.folder).plan == more
    assert reader.plan != more
    with reader.lock():
        assert reader.plan == more


def test_two_stores_cannot_write_at_once(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r", finish=0)
    with (
        store.lock(),
        pytest.raises(StabilityError, match=f"in use by process {os.getpid()} "),
        Store.open(store.folder).lock(),
    ):
        pytest.fail("two writers")


def without_lock(folder: Path) -> dict[str, bytes]:
    """Every file but the lock's own, which says when it was last held."""
    return {name: content for name, content in file_bytes(folder).items() if not name.endswith(LOCK)}


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    make_store(tmp_path / "study")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    (tmp_path / "file").touch()
    before = without_lock(tmp_path)
    messages = {"study": "already holds a study", "other": "'thesis.tex'", "file": "File exists"}
    for name, message in messages.items():
        with pytest.raises(StabilityError, match=message):
            Store.create(tmp_path / name, study_yaml=STUDY, plan=made_plan(), environment={})
    assert without_lock(tmp_path) == before


def test_what_another_has_laid_meanwhile_is_left_to_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several that begin at once: it was no study when they looked, and holds its owner's log by now."""
    with Store.created(tmp_path / "r", study_yaml=STUDY, plan=made_plan(), environment={}) as store:
        (store.folder / "run.log").touch()
        monkeypatch.setattr(Store, "holds_study", lambda folder: False)
        Store.check_creatable(store.folder, STUDY)
        with pytest.raises(StabilityError, match=f"in use by process {os.getpid()} "):
            Store.create(store.folder, study_yaml=STUDY, plan=made_plan(), environment={})


def test_an_unwritable_folder_is_told(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        folder = Path("/proc/study")
    else:
        tmp_path.chmod(0o500)
        folder = tmp_path / "r"
    with pytest.raises(StabilityError, match=str(folder)):
        Store.create(folder, study_yaml=STUDY, plan=made_plan(), environment={})


def test_a_creation_cut_short_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(type(made_plan()), "to_json", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            make_store(tmp_path / "r")
    assert not Store.holds_study(tmp_path / "r")
    make_store(tmp_path / "r")
    assert Store.holds_study(tmp_path / "r")


def test_what_is_no_study_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(StabilityError, match="no such results folder"):
        Store.open(tmp_path / "none")
    with pytest.raises(StabilityError, match=r"no plan\.json"):
        Store.open(tmp_path)
    store = make_store(tmp_path / "r")
    fields = json.loads((store.folder / "plan.json").read_text()) | {"version": 99}
    (store.folder / "plan.json").write_text(json.dumps(fields))
    with pytest.raises(
        StabilityError, match=f"version: 99, this version of stability reads {FORMAT_VERSION}"
    ):
        Store.open(store.folder)


def test_damage_is_told_with_the_file(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r", finish=1)
    with pytest.raises(StabilityError, match=SECOND):
        store.read_cohort(SECOND)
    (store.folder / "environment.json").write_text("{")
    with pytest.raises(StabilityError, match=r"environment\.json: damaged"):
        store.environment  # noqa: B018
    (store.folder / "study.yaml").write_bytes(b"\xff")
    with pytest.raises(StabilityError, match=r"study\.yaml: damaged"):
        store.study_yaml  # noqa: B018
    (store.folder / "cohorts" / FIRST / "records.parquet").unlink()
    with pytest.raises(StabilityError, match=FIRST):
        store.read_cohort(FIRST)


def test_store_and_frames_import_neither_torch_nor_optuna() -> None:
    code = (
        "import sys, stability, stability.store, stability.reading.frames;"
        "print({'torch', 'optuna', 'stability.gan', 'stability.design'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"


def test_another_studys_file_is_not_written_over(tmp_path: Path) -> None:
    """A study file that says what is about to be written may be left of a killed `create`; others are not."""
    (tmp_path / "study.yaml").write_text("name: mine  # with my comments\n")
    with pytest.raises(StabilityError, match=r"not a study's results, it holds 'study\.yaml'"):
        make_store(tmp_path)
    assert file_bytes(tmp_path) == {"study.yaml": b"name: mine  # with my comments\n"}
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "environment.json").write_text("{")
    assert make_store(tmp_path).finished() == {"c000-mlp", "c001-mlp"}
