"""The examples run as they stand, for a few steps."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import nbformat
import optuna
import pytest
import torch
from nbclient import NotebookClient
from typer.testing import CliRunner

import stability
from stability.cli.app import app

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
    return import_module(request.param)


@pytest.mark.slow
@pytest.mark.parametrize("example", ["optuna_objective"], indirect=True)
def test_a_search_fills_one_observed_study(example: ModuleType, tmp_path: Path) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = example.search(tmp_path / "optuna", trials=2, steps=12, evaluate_every=6)
    frames = stability.load(tmp_path / "optuna")
    assert len(frames.runs) == len(study.trials) == 2
    assert set(frames.evaluations["features"]) == {"mnist_cnn"}
    assert frames.runs["adaptive"].all()
    assert frames.spec.design.sampler == "tpe"
    for trial, (_, run) in zip(study.trials, frames.runs.iterrows(), strict=True):
        assert trial.params["lr"] == run["lr"]
        assert trial.user_attrs["outcome"] == run["outcome"]
        assert list(trial.intermediate_values) == [6, 12]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "words"),
    [
        ("mlp_gan", ("--n_epochs=2", "--batch_size=8", "--folder")),
        ("dcgan", ("--niter=2", "--batchSize=8", "--ngf=4", "--ndf=4", "--outf")),
    ],
    indirect=["example"],
)
def test_scripts_of_the_usual_form_are_watched(
    example: ModuleType, words: tuple[str, ...], tmp_path: Path
) -> None:
    side = {"mlp_gan": 28, "dcgan": 32}[example.__name__]
    images = torch.tanh(torch.randn(80, 1, side, side, generator=torch.Generator().manual_seed(0)))
    opt = example.options([*words, str(tmp_path / "r")])
    monitor = example.train(opt, images)
    frames = stability.load(tmp_path / "r")
    assert list(frames.records["step"]) == [10, 20]
    told = frames.records[["loss_d", "loss_g", "grad_norm_d", "grad_norm_g", "signal"]]
    assert (told > 0).all().all()
    assert frames.records["real_probability"].notna().all() == (example.__name__ == "dcgan")
    assert frames.evaluations["separation"].between(0, 1).all()
    assert list(frames.runs["lr"]) == [opt.lr]
    assert monitor.result.step == 20


@pytest.mark.slow
def test_the_notebook_draws_a_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = ("training.steps=40", "recording.evaluate_every=20", "design.points=2", "recording.samples=64")
    run = ["run", str(EXAMPLES.parent / "studies" / "quickstart.yaml"), "--out", str(tmp_path / "q")]
    done = CliRunner().invoke(app, [*run, *(part for key in small for part in ("--set", key))])
    assert done.exit_code == 0, done.output
    monkeypatch.setenv("RESULTS", str(tmp_path / "q"))
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES.parent))
    notebook = nbformat.read(EXAMPLES / "own_figure.ipynb", as_version=4)
    NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 2


def test_every_example_is_named_in_the_readme() -> None:
    readme = (EXAMPLES.parent / "README.md").read_text()
    examples = [*EXAMPLES.glob("*.py"), *EXAMPLES.glob("*.ipynb")]
    assert [path.name for path in examples if path.name not in readme] == []
