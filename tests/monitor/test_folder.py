from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stability.errors import StabilityError
from stability.monitor.folder import Customs, ObservedFolder, Wanted, run_of
from stability.outcomes import label
from stability.records import History
from stability.runner.repair import check_study
from stability.spec import Recording, Thresholds, parse_study
from stability.spec.study import UNDECLARED, Sampler
from stability.store import CohortData, FilmStrip, Store
from stability.store.progress import study_status

CUSTOMS = Customs("faces", Recording(), Thresholds(), 1, "cpu")


def wanted(
    name: str | None = None, drawn: Sampler = UNDECLARED, seed: int | None = None, **settings: Any
) -> Wanted:
    return Wanted(name, settings, seed, drawn)


def entered(folder: Path, name: str, **options: Any) -> ObservedFolder:
    return ObservedFolder.enter(folder, wanted(name, **options), CUSTOMS, lambda words: None)


def data(run: str, last_step: int, pictures: int = 1) -> CohortData:
    history = History(run, (), (), None, last_step)
    strip = FilmStrip(tuple(range(pictures)), np.full((pictures, 2, 4, 4, 1), last_step, np.uint8))
    result = label(history, Thresholds(), horizon=last_step)
    return CohortData((result,), (history,), {run: 1.0}, {run: strip})


def keep(inside: ObservedFolder, last_step: int, state: str = "training", **more: Any) -> None:
    found = data(inside.run.run, last_step, **more)
    inside.keep(found, {"state": state}, last_step=last_step, patience=5.0)


def test_a_run_is_written_anew_as_it_trains(tmp_path: Path) -> None:
    folder = tmp_path / "faces 2"
    inside = entered(folder, "a", lr=0.1)
    assert study_status(folder)["under_way"] == ["a"]
    keep(inside, 10)
    keep(inside, 30, pictures=3)
    store = Store.open(folder)
    assert store.read_results("a")[0].step == 30
    assert store.plan.horizon == 30
    assert len(store.read_cohort("a").filmstrips["a"].steps) == 3
    assert not study_status(folder)["complete"]
    keep(inside, 30, state="ended", pictures=3)
    assert study_status(folder)["complete"]
    assert check_study(folder).faults == ()
    assert sorted(path.name for path in folder.iterdir() if path.name[0] != ".") == [
        "checkpoints",
        "cohorts",
        "environment.json",
        "plan.json",
        "study.yaml",
    ]


def test_the_study_file_grows_with_its_runs(tmp_path: Path) -> None:
    for name, lr in (("a", 0.1), ("b", 0.001), ("c", 0.1)):
        entered(tmp_path / "r", name, lr=lr, net="x")
    store = Store.open(tmp_path / "r")
    spec = parse_study(store.study_yaml)
    assert spec.observed
    assert spec.dataset == "faces"
    assert (spec.space["lr"].low, spec.space["lr"].high, spec.fixed) == (0.001, 0.1, {"net": "x"})
    assert (spec.design.points, spec.design.seeds, spec.design.sampler) == (2, 2, "given")
    assert [run.replicate for run in store.plan.runs] == [0, 0, 1]
    assert all(run.adaptive for run in store.plan.runs)


def test_only_runs_whose_draw_was_declared_enter_rates(tmp_path: Path) -> None:
    entered(tmp_path / "r", "a", lr=0.1)
    entered(tmp_path / "r", "b", lr=0.2, drawn="random")
    entered(tmp_path / "r", "c", lr=0.3, drawn="tpe")
    store = Store.open(tmp_path / "r")
    assert [run.adaptive for run in store.plan.runs] == [True, False, True]
    assert parse_study(store.study_yaml).design.sampler == "random"


def test_many_at_once_make_one_study(tmp_path: Path) -> None:
    """Threads lock as processes do: each opens the lock's file for itself."""

    def one(number: int) -> None:
        inside = entered(tmp_path / "r", "same", lr=0.1 * (1 + number))
        keep(inside, 10 + number, state="ended")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(one, range(6)))
    store = Store.open(tmp_path / "r")
    names = {run.run for run in store.plan.runs}
    assert names == {"same", *(f"same-{number}" for number in range(2, 7))}
    assert store.finished() == names
    assert store.plan.horizon == 15
    assert check_study(tmp_path / "r").faults == ()


def test_a_study_that_was_trained_here_is_refused(tmp_path: Path) -> None:
    from made_study import make_store

    folder = make_store(tmp_path / "made").folder
    with pytest.raises(StabilityError, match=r"holds a study of `stability run`"):
        entered(folder, "a")


@pytest.mark.parametrize(
    ("asked", "called"),
    [(None, "run-001"), ("ok", "ok"), ("lr 1e-4/β", "lr-1e-4-"), ("..", "run"), ("x" * 300, "x" * 180)],
)
def test_a_name_becomes_a_file_name(asked: str | None, called: str) -> None:
    said: list[str] = []
    assert run_of(wanted(asked), (), said.append).run == called
    assert len(said) == (asked not in (None, called))


def test_a_lock_that_is_held_is_waited_for(tmp_path: Path) -> None:
    inside = entered(tmp_path / "r", "a")
    in_use = pytest.raises(StabilityError, match=rf"in use by process {os.getpid()}")
    with Store.open(tmp_path / "r").lock(), in_use:
        inside.keep(data("a", 10), {}, last_step=10, patience=0.05)
    keep(inside, 10)
