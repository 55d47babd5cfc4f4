"""When the runs of a study first succeeded: what `data/horizons.json` says of each architecture."""

from __future__ import annotations

from typing import Any

import numpy as np

from stability.outcomes.course import course_of, until
from stability.outcomes.outcome_rules import decide
from stability.reading.frames import StudyFrames
from stability.reading.histories import HistoriesOf
from stability.records import SUCCESSES, History
from stability.spec import Thresholds
from stability.statistics.rates import designed


def horizon_facts(frames: StudyFrames, histories_of: HistoriesOf) -> list[dict[str, Any]]:
    """One row for every architecture of a study; adaptive runs are left out.

    `first` is the first visit at which any run was a success, `half` the one by which half of the
    `n_success` runs that ever were had been; null where none was.
    """
    spec, runs = frames.spec, designed(frames.runs)
    architecture: dict[str, str] = dict(zip(runs["run"], runs["architecture"], strict=True))
    found: dict[str, list[int | None]] = {name: [] for name in architecture.values()}
    for history in histories_of(list(architecture)):
        found[architecture[history.run]].append(first_success(history, spec.outcomes))
    return [
        {
            "study": frames.name,
            "dataset": spec.dataset,
            "architecture": name,
            "steps": frames.plan.horizon,
            "evaluate_every": spec.recording.evaluate_every,
            "thresholds": spec.outcomes.model_dump(),
            "n_runs": len(steps),
            **_summary([step for step in steps if step is not None]),
        }
        for name, steps in found.items()
    ]


def first_success(history: History, thresholds: Thresholds) -> int | None:
    """The first visit at which a run would have been a success had it been the last; None: never."""
    for step in sorted(visit.step for visit in history.evaluations):
        if decide(course_of(until(history, step)), thresholds)[0] in SUCCESSES:
            return step
    return None


def _summary(first: list[int]) -> dict[str, int | None]:
    half = int(np.quantile(first, 0.5, method="inverted_cdf")) if first else None
    return {"n_success": len(first), "first": min(first, default=None), "half": half}
