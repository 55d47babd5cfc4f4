"""What `stability run --export tensorboard` writes while it trains."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from made_study import make_store

from stability import load
from stability.cli.export import live
from stability.cli.export.live import LiveExport
from stability.store import Store

RUN = ("run", "study.yaml", "--out", "r", "--workers", "1", "--export", "tensorboard")
PLACE = Path("exports/tensorboard/r")


class Files:
    """Stands for the library: what is said of a run, in a file."""

    class SummaryWriter:
        def __init__(self, folder: str) -> None:
            self.folder, self.file_writer = Path(folder), self
            self.scalars: list[str] = []

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *error: Any) -> None:
            self.folder.mkdir(parents=True)
            (self.folder / "scalars").write_text("\n".join(self.scalars))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            self.scalars.append(f"{name} {step}")

        def add_image(self, *said: Any, **how: Any) -> None: ...

        add_text = add_summary = add_image

    class summary:
        @staticmethod
        def hparams(settings: dict[str, Any], metrics: dict[str, Any]) -> tuple[()]:
            return ()


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "library", lambda module, package: Files)


@pytest.mark.slow
@pytest.mark.usefixtures("files")
def test_every_run_is_there_once_it_is_kept(stability: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each cohort's after it, those of before when a study goes on, and what was lost when it is finished."""
    seen: list[int] = []
    write = live.write_events

    def count(tensorboard: Any, run: Any, place: Path) -> None:
        write(tensorboard, run, place)
        seen.append(len(Store.open("r").finished()))

    monkeypatch.setattr(live, "write_events", count)
    done = stability(*RUN)
    assert (done.code, done.err) == (0, "")
    assert f"tensorboard --logdir {PLACE}" in done.out
    names = set(load("r").runs["run"])
    assert {path.name for path in PLACE.iterdir()} == names
    assert seen == sorted(seen)
    assert set(seen) == {1, 2}, "twelve runs in two cohorts"
    assert "visit/fid_excess 40" in (PLACE / min(names) / "scalars").read_text()
    (PLACE / min(names)).rename("lost")
    assert stability(*RUN).code == 0
    assert {path.name for path in PLACE.iterdir()} == names
    assert len(seen) == len(names) + 1


@pytest.mark.usefixtures("files")
def test_runs_of_another_study_are_not_mixed_with(stability: Any) -> None:
    PLACE.mkdir(parents=True)
    refused = stability(*RUN)
    assert (refused.code, "is there already" in refused.err) == (2, True)
    assert not Path("r").exists()


def test_a_library_that_is_missing_is_named_before_anything_is_trained(
    stability: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    refused = stability(*RUN)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "pip install 'stability[tensorboard]'" in refused.err
    assert not Path("r").exists()


@pytest.mark.usefixtures("files")
def test_what_an_export_fails_at_is_said_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store, said = make_store(tmp_path / "made"), []

    class Listener:
        trained = skipped = planned = finished = lambda *told: None

        def note(self, text: str) -> None:
            said.append(text)

    exporting = LiveExport(store.folder, Listener())
    Path("exports").write_text("in the way")
    done = [result for cohort in store.finished() for result in store.read_results(cohort)]
    exporting.planned(store.plan, done)
    assert said[-1].startswith("not exported: ")
