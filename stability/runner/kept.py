"""How much a study keeps of its runs' last states, told before it is trained."""

from __future__ import annotations

from collections.abc import Hashable

from stability.gan.data.datasets import Dataset
from stability.gan.training.cohort import Cohort
from stability.gan.training.placement import Placement
from stability.store import Plan
from stability.vocabulary.structure import structure_key


def kept_state_bytes(plan: Plan, dataset: Dataset, placement: Placement) -> int:
    """Bytes of the states of all planned runs, if none of them stops before the horizon."""
    sizes: dict[tuple[Hashable, ...], int] = {}
    total = 0
    for run in plan.runs:
        structure = structure_key(run.config)
        if structure not in sizes:
            cohort = Cohort([run], dataset.train, placement, labels=dataset.train_labels)
            rows = [value for value in cohort.state().values() if value.dim()]
            sizes[structure] = sum(value.nbytes // len(value) for value in rows)
        total += sizes[structure]
    return total
