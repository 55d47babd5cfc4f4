"""Cohorts that ended at a shorter horizon than their study has now. Imports the store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from stability.errors import StabilityError
from stability.store.checkpoints import Arrays, DamagedCheckpoint
from stability.store.cohorts import WEIGHTS
from stability.store.error_hint import advised
from stability.store.files import remove_folder
from stability.store.states import CohortState, decode_state, state_horizon, state_name
from stability.store.store import Store
from stability.store.transaction import COHORTS


def cut_short(store: Store) -> list[str]:
    """The planned cohorts that ended at a shorter horizon and are not under way again, in order."""
    finished = store.finished()
    return [
        cohort.id
        for cohort in store.plan.cohorts
        if cohort.id not in finished and _folder(store, cohort.id).is_dir()
    ]


def keeps_state(store: Store, cohort_id: str) -> bool:
    """Whether a cohort that has ended can go on."""
    return state_horizon(_folder(store, cohort_id)) is not None


def read_state(store: Store, cohort_id: str) -> CohortState:
    """What a cohort that has ended goes on from.

    Raises `StabilityError`: none was kept, or it is damaged.
    """
    folder = _folder(store, cohort_id)
    name = state_name(state_horizon(folder) or 0)
    with advised(store.folder):
        state = decode_state(store.read_cohort_file(cohort_id, name))
        if isinstance(state, DamagedCheckpoint):
            raise StabilityError(f"{folder / name}: damaged, {state.reason}")
    return state


def kept_weights(store: Store, cohort_id: str, run: str) -> Arrays:
    """What a run of a cohort that has ended stopped with; nothing where weights were not kept."""
    is_there = (_folder(store, cohort_id) / WEIGHTS / f"{run}.safetensors").is_file()
    return store.weights(run) if is_there else {}


def take_up(
    store: Store, cohort_id: str, arrays: Mapping[str, NDArray[Any]], note: Mapping[str, Any]
) -> None:
    """Make a cohort that was cut short one under way: keep its checkpoint, then let go of its folder.

    Killed in between it is still cut short.

    Raises `ValueError`: it is finished; `StabilityError`: it cannot be written.
    """
    if cohort_id in store.finished():
        raise ValueError(f"{cohort_id} is finished")
    store.write_checkpoint(cohort_id, arrays, note)
    remove_folder(_folder(store, cohort_id))


def _folder(store: Store, cohort_id: str) -> Path:
    return store.folder / COHORTS / cohort_id
