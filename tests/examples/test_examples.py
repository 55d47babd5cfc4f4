"""The examples run as they stand, for a few steps."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import optuna
import pytest

import stability

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
    return import_module("optuna_objective")


@pytest.mark.slow
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


def test_every_example_is_named_in_the_readme() -> None:
    readme = (EXAMPLES.parent / "README.md").read_text()
    assert [path.name for path in EXAMPLES.glob("*.py") if path.name not in readme] == []
