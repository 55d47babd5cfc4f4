from __future__ import annotations

import re
from pathlib import Path

import pytest

from stability.errors import StabilityError
from stability.runner.engines.options import RayOptions, SlurmOptions, read_options


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    return path


def test_a_file_says_what_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "partition: gpu\ngpus: 1\ntime: 90\ncohorts_per_job: 4\n")
    assert read_options("slurm", path) == SlurmOptions(partition="gpu", gpus=1, time=90, cohorts_per_job=4)
    assert read_options("ray", written(tmp_path, "gpus_per_cohort: 0.5")) == RayOptions(gpus_per_cohort=0.5)
    assert read_options("ray", None) == RayOptions()


@pytest.mark.parametrize(
    ("engine", "text", "error"),
    [
        (
            "slurm",
            "partition: a\ntimes: 3",
            'cluster.yaml:2: times: unknown key "times"; did you mean "time"?',
        ),
        ("slurm", "time: soon", "cluster.yaml:1: time: must be a whole number of at least 1"),
        (
            "slurm",
            "gpus: 2",
            "cluster.yaml:1: gpus: must be a whole number of at least 0 and at most 1, not 2",
        ),
        ("slurm", "cluster: sge", "cluster.yaml:1: cluster: must be one of slurm, local"),
        ("slurm", "time: 1\ngrace: 60", "cluster.yaml:2: grace: must be less than time, which is 60 seconds"),
        ("ray", "gpus_per_cohort: -1", "cluster.yaml:1: gpus_per_cohort: must be a number of at least 0"),
        ("ray", "gpus_per_cohort: 1.5", "cluster.yaml:1: gpus_per_cohort: above 1 must be whole"),
        ("ray", "[1]", "cluster.yaml:1: must be a mapping"),
    ],
)
def test_a_mistake_is_told_in_one_line(tmp_path: Path, engine: str, text: str, error: str) -> None:
    with pytest.raises(StabilityError, match=re.escape(error)) as caught:
        read_options(engine, written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StabilityError, match=r"cluster\.yaml: no such file; it is to hold what ray is asked"):
        read_options("ray", tmp_path / "cluster.yaml")
