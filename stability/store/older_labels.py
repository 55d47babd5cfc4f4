"""Cohorts that an older release labelled, read by today's rules. Imports the rules, records, spec and tables.

A table of events tells by which rules. What today's rules need and the older release did not keep is
derived, see `stability.store.ages`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from stability.outcomes import label
from stability.records import History, RunResult
from stability.spec.thresholds import RULES, Thresholds
from stability.store.tables import LABELLED_BY, read_histories


def is_older(events: pa.Schema) -> bool:
    """Whether a cohort with this table of events was labelled by older rules."""
    by = (events.metadata or {}).get(LABELLED_BY, b"1")
    return int(by) < RULES


def labelled_anew(
    runs: pa.Table, records: pa.Table, evaluations: pa.Table, thresholds: Thresholds, *, horizon: int
) -> dict[str, RunResult]:
    """Today's label of every run; a FID excess that cannot be derived decides nothing."""
    stopped: Mapping[str, bool] = dict(zip(runs["run"].to_pylist(), runs["stopped"].to_pylist(), strict=True))
    return {
        history.run: label(
            history, _by_what_is_known(history, thresholds), horizon=horizon, stopped=stopped[history.run]
        )
        for history in read_histories(runs, records, evaluations)
    }


def _by_what_is_known(history: History, thresholds: Thresholds) -> Thresholds:
    excess = [evaluation.fid_excess for evaluation in history.evaluations]
    others = tuple(measure for measure in thresholds.measures if measure != "fid")
    return (
        thresholds
        if np.isfinite(excess).any() or not others
        else thresholds.model_copy(update={"measures": others})
    )
