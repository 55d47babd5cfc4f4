"""Studies that are given too little memory, by the kernel's own limit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from small_studies import rows_by_run, run_small, small_spec

from stability.runner.materials import Resources
from stability.runner.repair import check_study
from stability.store import Store
from stability.store.progress import study_status

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds what mapped memory takes")

HUNGRY = """\
name: hungry
dataset: ring
space:
  loss: [minimax, non-saturating]
  lr: {low: 1.0e-4, high: 1.0e-2, log: true}
fixed: {width: 256, batch_size: 64, latent_dim: 8}
design: {points: 8, cross: [loss]}
training: {steps: 4}
recording: {every: 2, evaluate_every: 2, samples: 64, final_samples: 64}
"""
"""Two cohorts of eight; beyond what is loaded one takes 1,100 MB, of four runs 600."""
ENOUGH_FOR_FOUR, ENOUGH_FOR_NONE = 800, 150
SCRIPT = Path(__file__).with_name("starved.py")
MEASURED = ("records", "evaluations", "events")


@pytest.fixture(scope="module")
def sated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study with all the memory there is."""
    folder = tmp_path_factory.mktemp("sated") / "hungry"
    assert run_small(small_spec(text=HUNGRY), folder, resources=Resources("cpu", threads=1))
    return folder


def starved_run(workplace: Path, megabytes: int, workers: int) -> subprocess.CompletedProcess[str]:
    (workplace / "study.yaml").write_text(HUNGRY)
    options = ["--out", "r", "--device", "cpu", "--threads", "1", "--workers", str(workers)]
    return subprocess.run(
        [sys.executable, str(SCRIPT), "run", "study.yaml", *options],
        cwd=workplace,
        env=os.environ | {"MEGABYTES": str(megabytes)},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )


def assert_same(folder: Path, sated: Path) -> None:
    for table in MEASURED:
        assert rows_by_run(folder, table) == rows_by_run(sated, table)
    assert check_study(folder).faults == ()


def test_workers_split_what_they_have_no_memory_for(sated: Path, tmp_path: Path) -> None:
    done = starved_run(tmp_path, ENOUGH_FOR_FOUR, workers=2)
    assert (done.returncode, done.stderr) == (0, "")
    splits = study_status(tmp_path / "r")["split"]
    assert {"c0000", "c0001"} <= {one["cohort"] for one in splits}
    assert all(one["reason"].startswith("not enough memory: ") for one in splits)
    assert done.stdout.count("runs start over as") == len(splits)
    assert_same(tmp_path / "r", sated)


def test_a_run_that_there_is_no_memory_for_is_named_and_trained_where_there_is(
    sated: Path, tmp_path: Path
) -> None:
    refused = starved_run(tmp_path, ENOUGH_FOR_NONE, workers=1)
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    first = Store.open(tmp_path / "r").plan.runs[0].run
    assert re.match(rf"error: r: {first} cannot be trained here, even alone: not enough memory: ", line)
    assert [len(one["runs"]) for one in study_status(tmp_path / "r")["split"]] == [8, 4, 2]
    assert check_study(tmp_path / "r").faults == ()
    done = starved_run(tmp_path, ENOUGH_FOR_FOUR, workers=1)
    assert (done.returncode, done.stderr) == (0, "")
    splits = [one["cohort"] for one in study_status(tmp_path / "r")["split"]]
    assert splits[:3] == ["c0000", "c0002", "c0004"]
    assert "c0001" in splits
    assert_same(tmp_path / "r", sated)
