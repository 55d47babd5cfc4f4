"""Each export is made by the tool's own library where that is installed, and read back by it."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import pytest
from made_study import make_store

from stability.cli.app import Tool
from stability.cli.export.runs import ExportedRun, exported_runs
from stability.cli.export.targets import TARGETS, export, pictures
from stability.errors import StabilityError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_store(tmp_path / "made").folder


def pictured_run(folder: Path) -> ExportedRun:
    """One with records, visits and a film."""
    return next(run for run in exported_runs(folder) if run.film is not None)


def test_every_tool_of_the_command_has_a_target() -> None:
    assert [tool.value for tool in Tool] == list(TARGETS)


def test_a_run_is_told_by_what_the_study_named_and_by_all_its_numbers(folder: Path) -> None:
    run = pictured_run(folder)
    assert {"loss", "lr", "lr_g", "lr_d", "seed"} <= set(run.settings)
    assert set(run.ended) == {"outcome", "reason", "events"}
    numbers = dict(run.numbers())
    assert list(numbers) == sorted(numbers)
    named = {name for found in numbers.values() for name in found}
    assert {"train/loss_d", "train/separation", "visit/precision", "visit/fid_excess"} <= named
    assert not {"train/step", "visit/step", "visit/n_samples", "visit/fid_floor"} & named, "no curves"
    assert not any(math.isnan(value) for found in numbers.values() for value in found.values())


def test_nothing_is_written_twice(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(StabilityError, match="out: is there already"):
        list(export("tensorboard", folder, tmp_path / "out"))


def test_a_visits_picture_has_the_films_images(folder: Path) -> None:
    run = pictured_run(folder)
    found = dict(pictures(run))
    assert tuple(found) == run.film.steps
    assert all(picture.ndim == 3 and picture.shape[2] == 3 for picture in found.values())


@pytest.mark.parametrize("tool", list(TARGETS))
def test_a_library_that_is_not_installed_is_named(
    tool: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(StabilityError, match=rf"pip install 'stability\[{tool}\]'"):
        list(export(tool, folder, tmp_path / "out"))


def test_tensorboard_reads_scalars_films_and_outcomes(folder: Path, tmp_path: Path) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    said = list(export("tensorboard", folder, tmp_path / "out"))
    run = pictured_run(folder)
    assert f"{run.name}: {run.ended['outcome']}" in said
    read = accumulators.EventAccumulator(str(tmp_path / "out" / run.name))
    read.Reload()
    told = [(event.step, event.value) for event in read.Scalars("train/loss_d")]
    expected = [(step, found["train/loss_d"]) for step, found in run.numbers() if "train/loss_d" in found]
    assert [step for step, _ in told] == [step for step, _ in expected]
    assert [value for _, value in told] == pytest.approx([value for _, value in expected])
    assert [event.step for event in read.Images("samples")] == list(run.film.steps)
    assert read.Tensors("end/text_summary")[0].tensor_proto.string_val[0].decode() == run.end
    assert run.end.startswith(f"**{run.ended['outcome']}**: {run.ended['reason']}; events: ")
    assert not any(name.startswith("last/") for name in read.Tags()["scalars"]), "no curves of one point"
    plugin = read.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    settings = importlib.import_module(
        "tensorboard.plugins.hparams.metadata"
    ).parse_session_start_info_plugin_data(plugin)
    assert settings.hparams["outcome"].string_value == run.ended["outcome"]
    assert settings.hparams["lr"].number_value == run.settings["lr"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # mlflow's own, of libraries newer than it
def test_mlflow_reads_parameters_metrics_and_tags(folder: Path, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    list(export("mlflow", folder, tmp_path / "out"))
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'out' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(folder.name)
    runs = {found.info.run_name: found for found in client.search_runs([experiment.experiment_id])}
    expected = pictured_run(folder)
    found = runs[expected.name]
    assert found.data.params["loss"] == str(expected.settings["loss"])
    assert found.data.tags["outcome"] == expected.ended["outcome"]
    assert found.data.tags["mlflow.note.content"] == expected.end
    assert found.info.end_time - found.info.start_time == round(expected.seconds * 1000)
    history = client.get_metric_history(found.info.run_id, "train/loss_d")
    told = {
        step: numbers["train/loss_d"] for step, numbers in expected.numbers() if "train/loss_d" in numbers
    }
    assert {metric.step: metric.value for metric in history} == pytest.approx(told)


@pytest.mark.slow
def test_wandb_writes_offline_runs(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    said = list(export("wandb", folder, tmp_path / "out"))
    written = list((tmp_path / "out" / "wandb").glob("offline-run-*/*.wandb"))
    assert len(written) == len(list(exported_runs(folder))) == len(said) - 1
