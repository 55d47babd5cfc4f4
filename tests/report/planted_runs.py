"""A study of three losses over four parameters, whose runs' outcomes are the test's to plant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.spec import Choice, Design, Range, StudySpec
from stability.store import Plan

LOSSES = ("hinge", "minimax", "wasserstein")


def planted_spec(points: int) -> StudySpec:
    space = {
        "loss": Choice(values=LOSSES),
        "lr": Range(low=1e-4, high=1e-2, log=True),
        "lr_ratio": Range(low=0.1, high=10, log=True),
        "beta1": Range(low=0, high=0.95),
        "batchnorm": Choice(values=("none", "generator")),
    }
    return StudySpec(name="s", space=space, design=Design(points=points, seeds=1, cross=("loss",)))


def planted_runs(points: int) -> pd.DataFrame:
    """A run of each loss at points drawn over the space; all but their outcomes."""
    rng = np.random.default_rng(0)
    drawn = pd.DataFrame(
        {
            "point": range(points),
            "lr": 10 ** rng.uniform(-4, -2, points),
            "lr_ratio": 10 ** rng.uniform(-1, 1, points),
            "beta1": rng.uniform(0, 0.95, points),
            "batchnorm": rng.permutation(["none", "generator"] * (points // 2)),
        }
    )
    runs = drawn.merge(pd.DataFrame({"loss": LOSSES}), how="cross")
    names = runs["point"].astype(str) + "-" + runs["loss"]
    fid = np.exp(rng.normal(size=len(runs)))
    return runs.assign(run=names, trial=names, replicate=0, adaptive=False, stopped=False, fid_ratio=fid)


def study_of(spec: StudySpec, runs: pd.DataFrame) -> Study:
    nothing = pd.DataFrame()
    plan = Plan(1, 1, "cpu", 100, (), ())
    return Study(StudyFrames("s", spec, plan, runs, nothing, nothing, nothing, Path()))
