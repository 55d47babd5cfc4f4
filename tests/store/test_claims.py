from __future__ import annotations

from pathlib import Path

import pytest
from made_study import make_cohort, make_store

from stability.errors import StabilityError
from stability.store.claims import claims, new_claim


def test_nobody_writes_beside_the_jobs_of_a_cluster_unless_told_of_them(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r", finish=1)
    cohort = store.plan.cohorts[1]
    claim = new_claim(store.folder, cohort.id)
    with (
        pytest.raises(StabilityError, match=f"jobs of a cluster have {cohort.id}.*--engine slurm"),
        store.lock(),
    ):
        pass
    with store.lock(beside_jobs=True):
        store.write_cohort(cohort.id, make_cohort(cohort.runs))
    assert [held.cohort for held in claims(store.folder)] == [cohort.id]
    with store.lock():  # a claim to what is finished holds nobody up
        claim.release()
    assert claims(store.folder) == []
