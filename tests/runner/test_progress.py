from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from small_studies import StopAfter, outcomes_by_run, run_small, small_spec

from stability.records import Machine
from stability.store import Store
from stability.store import progress as status
from stability.store.progress import run_states, stored_results, study_status


def test_the_status_counts_what_is_stored(finished: Path) -> None:
    state = study_status(finished)
    assert (state["runs"], state["runs_finished"], state["cohorts_finished"]) == (12, 12, 2)
    assert sum(state["outcomes"].values()) == 12
    assert [(one["host"], one["cohorts"]) for one in state["machines"]] == [(socket.gethostname(), 2)]
    assert state["processors"] == {}
    assert json.loads(json.dumps(state)) == state
    assert run_states(finished) == outcomes_by_run(finished)


def test_cohorts_of_unlike_processors_are_told(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machines = iter([Machine("a", "One CPU"), Machine("b", "Another"), *[Machine("a", "One CPU")] * 2])
    monkeypatch.setattr(status, "read_machine", lambda _: next(machines))
    assert study_status(finished)["processors"] == {"One CPU": ["c0000"], "Another": ["c0001"]}
    assert study_status(finished)["processors"] == {}


def test_results_are_those_of_the_whole_cohorts(finished: Path) -> None:
    store = Store.open(finished)
    whole = [result for cohort in store.plan.cohorts for result in store.read_cohort(cohort.id).results]
    assert stored_results(store) == whole


def test_neither_records_nor_pictures_are_read(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: set[str] = set()
    table = Store.table

    def listening(self: Store, cohort: str, name: str) -> object:
        read.add(name)
        return table(self, cohort, name)

    monkeypatch.setattr(Store, "table", listening)
    monkeypatch.setattr(Store, "read_cohort", lambda *_: pytest.fail("read whole"))
    study_status(finished)
    run_states(finished)
    assert read == {"runs"}
    stored_results(Store.open(finished))
    assert read == {"runs", "events"}


def test_an_unfinished_study_is_told(tmp_path: Path) -> None:
    run_small(small_spec(), tmp_path / "r", stop=StopAfter(5))
    state = study_status(tmp_path / "r")
    assert (state["complete"], state["runs_finished"], state["cohorts_finished"]) == (False, 8, 1)
    assert list(run_states(tmp_path / "r").values()).count("waiting") == 4


@pytest.mark.parametrize(
    ("option", "says", "imported"),
    [("--runs", "runs      12 of 12", []), ("--check", "all is well", ["optuna"])],
)
def test_neither_status_nor_an_examination_imports_torch(
    finished: Path, option: str, says: str, imported: list[str]
) -> None:
    code = """
import sys
from stability.cli.app import main
try:
    main()
finally:
    print([name for name in ("torch", "optuna", "torchvision", "pandas") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "status", str(finished), option],
        capture_output=True,
        text=True,
        check=True,
    )
    assert says in done.stdout
    assert done.stdout.splitlines()[-1] == str(imported)
