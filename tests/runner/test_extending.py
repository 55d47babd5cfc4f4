"""Studies that grow while they are stored: what was trained stays, what is added is trained."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from made_study import dying
from small_studies import (
    Listener,
    StopAfter,
    outcomes_by_run,
    result_bytes,
    rows_by_run,
    run_small,
    small_spec,
)

from stability.errors import StabilityError
from stability.runner.materials import Resources
from stability.runner.repair import check_study
from stability.runner.replay import replay
from stability.runner.study import StudyRunner, relabel_study
from stability.spec import StudySpec, parse_study
from stability.store import Store
from stability.store.progress import study_status

MORE = ("space.loss=[hinge, minimax, non-saturating, wasserstein]", "design.points=3", "design.seeds=3")
"""Of each of the three that can grow one more, the level inserted before the others."""
SHORT = ("training.steps=4", "recording.every=2", "recording.evaluate_every=4")


def cohort_files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in (folder / "cohorts").rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def whole(_small_world: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The longer study, trained from the beginning."""
    folder = tmp_path_factory.mktemp("results") / "whole"
    assert run_small(small_spec(*MORE), folder)
    return folder


def assert_same_study(folder: Path, whole: Path) -> None:
    for table in ("records", "evaluations"):
        assert rows_by_run(folder, table) == rows_by_run(whole, table)
    assert outcomes_by_run(folder) == outcomes_by_run(whole)
    pictures = {path.name: path.read_bytes() for path in folder.rglob("*.png")}
    assert pictures == {path.name: path.read_bytes() for path in whole.rglob("*.png")}
    assert parse_study(Store.open(folder).study_yaml) == parse_study(Store.open(whole).study_yaml)
    assert study_status(folder)["complete"]
    assert check_study(folder).faults == ()


def test_an_extended_study_is_the_longer_one_run_by_run(finished: Path, whole: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished, tmp_path / "r"))
    before, plan, listener = cohort_files(folder), Store.open(folder).plan, Listener()
    assert run_small(small_spec(*MORE), folder, listener=listener)
    after = cohort_files(folder)
    assert {name: after[name] for name in before} == before
    longer = Store.open(folder).plan
    assert longer.cohorts[: len(plan.cohorts)] == plan.cohorts
    assert len(longer.runs) == 3 * 4 * 3
    assert_same_study(folder, whole)
    assert listener.notes[0].startswith("extended: space.loss: [")
    assert "design.points: 2 -> 3, design.seeds: 2 -> 3" in listener.notes[0]
    (kept,) = Store.open(folder).environment["extended"]
    assert kept["design.points"] == {"was": 2, "is": 3}
    again = replay(folder, "p000-hinge-s2", Resources("cpu"), Listener())
    assert again.difference is None


def test_what_is_under_way_goes_on_when_a_study_is_extended(whole: Path, tmp_path: Path) -> None:
    folder, listener = tmp_path / "r", Listener()
    assert not run_small(small_spec(), folder, stop=StopAfter(6))
    assert run_small(small_spec(*MORE), folder, listener=listener)
    assert listener.notes[1] == "going on with c0001 at step 20"
    assert_same_study(folder, whole)


def test_a_study_can_be_extended_again_and_the_shorter_file_is_refused_then(
    finished: Path, whole: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(finished, tmp_path / "r"))
    for count in (1, 2, 3):
        assert run_small(small_spec(*MORE[:count]), folder)
    assert_same_study(folder, whole)
    assert len(Store.open(folder).environment["extended"]) == 3
    with pytest.raises(StabilityError, match=r"design\.points: 3 -> 2"):
        run_small(small_spec(MORE[0]), folder)


def test_levels_in_another_order_train_nothing(finished: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished, tmp_path / "r"))
    before, listener = result_bytes(folder), Listener()
    reordered = small_spec("space.loss=[wasserstein, minimax, non-saturating]")
    assert run_small(reordered, folder, listener=listener)
    assert result_bytes(folder) == before
    assert listener.steps == []
    assert parse_study(Store.open(folder).study_yaml) == reordered


def test_new_thresholds_come_before_an_extension(finished: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished, tmp_path / "r"))
    easy = "outcomes.stable_modes=0"
    with pytest.raises(StabilityError, match=r"outcomes\.stable_modes: 0\.9 -> 0"):
        run_small(small_spec("design.points=3", easy), folder)
    relabel_study(folder, [easy])
    assert run_small(small_spec("design.points=3", easy), folder)
    plan = Store.open(folder).plan
    assert plan.stop_thresholds == small_spec().outcomes
    assert study_status(folder)["runs"] == 18


def test_a_search_is_extended_by_rounds(tmp_path: Path) -> None:
    search = ("design.sampler=tpe", "design.seeds=1", "space.loss=[minimax, hinge]", *SHORT)
    assert run_small(small_spec(*search, "design.points=2"), tmp_path / "r")
    before = cohort_files(tmp_path / "r")
    assert run_small(small_spec(*search, "design.points=4"), tmp_path / "r")
    assert len(Store.open(tmp_path / "r").plan.runs) == 4
    assert cohort_files(tmp_path / "r").items() >= before.items()


def test_an_extension_cut_short_anywhere_is_seen_whole_or_not_at_all(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One rename commits plan, study file and environment, three move them to their places."""
    longer, seen = small_spec("design.points=3"), []
    for last in range(4):
        folder = Path(shutil.copytree(finished, tmp_path / str(last)))
        with monkeypatch.context() as patch:
            count = iter(range(100))
            patch.setattr(Path, "rename", dying(Path.rename, count, last))
            patch.setattr(Path, "replace", dying(Path.replace, count, last))
            with pytest.raises(KeyboardInterrupt):
                StudyRunner(longer, folder, Resources("cpu"), Listener()).run()
        store = Store.open(folder)
        runs, points = len(store.plan.runs), parse_study(store.study_yaml).design.points
        assert (runs, points, "extended" in store.environment) in [(12, 2, False), (18, 3, True)]
        seen.append(points)
        assert run_small(longer, folder, stop=StopAfter(1)) is False
        assert len(Store.open(folder).environment["extended"]) == 1
        assert not (folder / "labels").exists()
    assert seen == [2, 3, 3, 3]


# --- beginning anew ---------------------------------------------------------------------------------------


def forked(spec: StudySpec, folder: Path, original: Path) -> bool:
    return StudyRunner(spec, folder, Resources("cpu"), Listener(), forked_from=original).run()


def test_a_fork_is_a_study_of_its_own(finished: Path, tmp_path: Path) -> None:
    before, spec = result_bytes(finished), small_spec("fixed.width=9", "design.points=1")
    assert forked(spec, tmp_path / "new", finished)
    assert run_small(spec, tmp_path / "plain")
    assert result_bytes(tmp_path / "new") == result_bytes(tmp_path / "plain")
    assert result_bytes(finished) == before
    assert Store.open(tmp_path / "new").environment["forked"] == {
        "from": str(finished.resolve()),
        "changes": {"fixed.width": {"was": 8, "is": 9}, "design.points": {"was": 2, "is": 1}},
    }
    assert "forked" not in Store.open(tmp_path / "plain").environment


def test_a_fork_goes_on_and_needs_a_study_to_begin_with(finished: Path, tmp_path: Path) -> None:
    spec = small_spec("training.steps=20", "design.points=1")
    with pytest.raises(StabilityError, match="none: no such results folder"):
        forked(spec, tmp_path / "new", tmp_path / "none")
    assert not (tmp_path / "new").exists()
    runner = StudyRunner(
        spec, tmp_path / "new", Resources("cpu"), Listener(), StopAfter(1), forked_from=finished
    )
    assert not runner.run()
    assert forked(spec, tmp_path / "new", finished)
    assert study_status(tmp_path / "new")["complete"]
