"""The histories of runs, as stored labels rest on them, and which runs are looked at where they are many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from stability.reading.frames import StudyFrames
from stability.reading.record_reader import StoredRecords
from stability.records import History
from stability.store import Store
from stability.store.tables import read_histories

HistoriesOf = Callable[[Sequence[str]], Iterable[History]]
"""Gives the stored histories of some runs, in any order."""


NO_HISTORIES = "not estimable: the histories of its runs are not stored"


def stored_histories(store: Store) -> HistoriesOf:
    """A reader of the histories of chosen runs; reads only the cohorts that hold them."""
    cohort_of = {run: cohort.id for cohort in store.plan.cohorts for run in cohort.runs}

    def read(names: Sequence[str]) -> Iterable[History]:
        wanted = pa.array(names, pa.string())
        for cohort in dict.fromkeys(cohort_of[name] for name in names):
            tables = [store.table(cohort, name) for name in ("runs", "records", "evaluations")]
            kept = [table.filter(pc.is_in(table["run"], value_set=wanted)) for table in tables]
            yield from read_histories(*kept)

    return read


def sample_points(runs: pd.DataFrame, most: int, rng: np.random.Generator) -> pd.DataFrame:
    """All runs, or those of whole points drawn at random, as many as make at most `most` runs."""
    if len(runs) <= most:
        return runs
    sizes = runs.groupby("point", sort=True).size()
    order = rng.permutation(len(sizes))
    chosen = order[np.cumsum(sizes.to_numpy()[order]) <= most]
    return runs[runs["point"].isin(sizes.index[chosen])]


def histories_of(frames: StudyFrames) -> HistoriesOf:
    """From the disk; frames in memory have no histories."""
    source = frames.source
    return stored_histories(source.store) if isinstance(source, StoredRecords) else lambda runs: ()
