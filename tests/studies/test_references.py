"""The reference configurations, trained for real at full length: the two of images take minutes each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import stability
from stability.cli.display import Display
from stability.runner.materials import Resources
from stability.runner.study import StudyRunner
from stability.spec.loader import load_study

STUDIES = Path(__file__).parents[2] / "studies"
Train = Callable[[str], pd.DataFrame]


@pytest.fixture
def train(tmp_path: Path) -> Train:
    from rich.console import Console

    def run(name: str) -> pd.DataFrame:
        with Display(Console(quiet=True)) as display:
            spec = load_study(STUDIES / f"{name}.yaml")
            assert StudyRunner(spec, tmp_path / name, Resources("cpu"), display).run()
        return stability.load(tmp_path / name).runs

    return run


@pytest.mark.full
def test_the_reference_configuration_ends_nearly_stable_or_better_with_every_seed(train: Train) -> None:
    runs = train("reference")
    assert set(runs["outcome"]) <= {"stable", "nearly-stable"}, list(runs["reason"])
    assert (runs["modes"] >= 9).all()


@pytest.mark.full
def test_minimax_without_batchnorm_saturates_with_every_seed(train: Train) -> None:
    runs = train("saturation")
    assert list(runs["outcome"]) == ["saturated"] * 3, list(runs["reason"])


@pytest.mark.slow
def test_the_one_parameter_gan_arrives_with_r1_and_circles_under_minimax_without(train: Train) -> None:
    runs = train("dirac").set_index(["loss", "penalty"])
    assert (runs["outcome"].xs("r1", level="penalty") == "stable").all()
    assert (runs["fid_ratio"].xs("r1", level="penalty") < 1.001).all()
    assert runs["outcome"]["minimax", "none"] != "stable"
    assert runs["fid_ratio"]["minimax", "none"] > 100  # 1 + (theta / .1)^2
