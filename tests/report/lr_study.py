"""A study of two losses over one learning rate, at which one of them succeeds as far as it is told to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.spec import Choice, Design, Range, StudySpec

SHARES = {"hinge": 0.9, "minimax": 0.1}


def study_of(shares: dict[str, float] | None = None, **columns: Any) -> Study:
    """32 points with two seeds; these shares of the points, from the smallest lr on, are nearly stable."""
    shares = SHARES if shares is None else shares
    rows = [
        {
            "run": f"{loss}-{point}-{seed}",
            "point": point,
            "loss": loss,
            "lr": 1e-5 * 1000 ** ((point + 0.5) / 32),
            "outcome": "nearly-stable" if point < 32 * share else "collapsed",
            "n_dis": 1,
        }
        for loss, share in shares.items()
        for point in range(32)
        for seed in range(2)
    ]
    frame = pd.DataFrame(rows, columns=["run", "point", "loss", "lr", "outcome", "n_dis"])
    runs = frame.assign(
        **{"adaptive": False, "step": 1000, "seconds": 36.0, "collapse_ever": frame["outcome"] == "collapsed"}
        | {"divergence_step": pd.array([pd.NA] * len(frame), dtype="Int64")}
        | columns
    )
    spec = StudySpec(
        name="costs",
        space={"loss": Choice(values=tuple(SHARES)), "lr": Range(low=1e-5, high=1e-2, log=True)},
        design=Design(points=32, seeds=2, cross=("loss",)),
    )
    events = pd.DataFrame({"run": runs.loc[runs["collapse_ever"], "run"], "kind": "collapse", "onset": 500})
    nothing: Any = None
    return Study(StudyFrames("costs", spec, nothing, runs, nothing, nothing, events, Path()))
