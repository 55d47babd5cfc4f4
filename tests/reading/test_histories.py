from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from made_study import make_store

from stability.reading.histories import sample_points, stored_histories


@given(st.integers(1, 60), st.integers(1, 4), st.integers(1, 40), st.integers(0, 5))
def test_a_sample_keeps_whole_points_and_the_limit(points: int, seeds: int, most: int, seed: int) -> None:
    every = pd.DataFrame({"point": np.repeat(np.arange(points), seeds)})
    kept = sample_points(every, most, np.random.default_rng(seed))
    assert len(kept) <= max(most, 0)
    assert kept.groupby("point").size().eq(seeds).all()
    assert len(kept) == min(points, most // seeds) * seeds


def test_stored_histories_are_those_of_the_runs_asked_for(tmp_path: Path) -> None:
    store = make_store(tmp_path / "results")
    kept = {
        item.run: item for cohort in store.plan.cohorts for item in store.read_cohort(cohort.id).histories
    }
    names = [list(kept)[place] for place in (7, 1, 4)]
    read = {item.run: item for item in stored_histories(store)(names)}
    assert set(read) == set(names)
    for name in names:
        assert [visit.step for visit in read[name].evaluations] == [v.step for v in kept[name].evaluations]
        assert [record.loss_d for record in read[name].records] == [r.loss_d for r in kept[name].records]
        assert read[name].divergence == kept[name].divergence
