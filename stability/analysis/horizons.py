"""When the runs of a study were first stable: what `data/horizons.json` says of each architecture."""

from __future__ import annotations

from typing import Any

import numpy as np

from stability.analysis.frames import StudyFrames
from stability.analysis.sensitivity import HistoriesOf
from stability.outcomes.course import course_of, until
from stability.outcomes.outcome_rules import decide
from stability.records import History, Outcome
from stability.spec import Thresholds


def horizon_facts(frames: StudyFrames, histories_of: HistoriesOf) -> list[dict[str, Any]]:
    """One row for every architecture of a study; adaptive runs are left out.

    `first` is the first visit at which any run was stable, `half` the one by which half of the `n_stable`
    runs that ever were had been; null where none was.
    """
    spec, runs = frames.spec, frames.runs[~frames.runs["adaptive"].astype(bool)]
    architecture: dict[str, str] = dict(zip(runs["run"], runs["architecture"], strict=True))
    found: dict[str, list[int | None]] = {name: [] for name in architecture.values()}
    for history in histories_of(list(architecture)):
        found[architecture[history.run]].append(first_stable(history, spec.outcomes))
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


def first_stable(history: History, thresholds: Thresholds) -> int | None:
    """The first visit at which a run would have been labelled stable had it been the last; None: never."""
    for step in sorted(visit.step for visit in history.evaluations):
        if decide(course_of(until(history, step)), thresholds)[0] is Outcome.STABLE:
            return step
    return None


def _summary(stable: list[int]) -> dict[str, int | None]:
    half = int(np.quantile(stable, 0.5, method="inverted_cdf")) if stable else None
    return {"n_stable": len(stable), "first": min(stable, default=None), "half": half}
