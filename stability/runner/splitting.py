"""A cohort that took more memory than there is: split into two, which go on from its last checkpoint.

Without torch.compile a member's numbers are the same, bit for bit, whatever the cohort that it trains in, so
no record tells.
"""

from __future__ import annotations

from collections.abc import Sequence

from stability.design.plan import NUMBERED, with_split
from stability.errors import StabilityError
from stability.runner.reporter import Reporter
from stability.runner.trainer import checkpoint_part
from stability.store import DamagedCheckpoint, PlannedCohort, Store
from stability.store.progress import SPLIT, splits


def split(store: Store, cohort: PlannedCohort, reason: str, reporter: Reporter) -> list[PlannedCohort]:
    """Plan two cohorts instead of one, write down why, and tell; return the two.

    Raises StabilityError: it is a single run.
    """
    if len(cohort.runs) == 1:
        raise StabilityError(
            f"{store.folder}: {cohort.runs[0]} cannot be trained here, even alone: {reason}; smaller "
            "networks, batches or recording.final_samples take less memory, and so do fewer --workers"
        )
    plan, halves = with_split(store.plan, cohort)
    into, environment = [half.id for half in halves], store.environment
    entry = {"cohort": cohort.id, "runs": list(cohort.runs), "into": into, "reason": reason}
    store.extend(
        plan,
        study_yaml=store.study_yaml,
        environment=environment | {SPLIT: [*environment.get(SPLIT, ()), entry]},
    )
    going_on = share_checkpoints(store)
    reporter.note(
        f"{cohort.id}: {reason}; its {len(cohort.runs)} runs {'go on' if going_on else 'start over'} as "
        f"{' and '.join(into)}"
    )
    return halves


def share_checkpoints(store: Store) -> bool:
    """Give the halves of every split cohort their parts of its checkpoint, where it still has one.

    Also of a cohort whose split somebody was killed in. Returns whether there was one to share.
    """
    planned = {cohort.id: cohort for cohort in store.plan.cohorts}
    shared = False
    for one in splits(store):
        if one["cohort"] in planned or not NUMBERED.fullmatch(one["cohort"]):
            continue
        halves = [planned[name] for name in one["into"] if name in planned]
        shared |= _share(store, one["cohort"], halves)
        store.drop_checkpoint(one["cohort"])
    return shared


def _share(store: Store, cohort_id: str, halves: Sequence[PlannedCohort]) -> bool:
    """Without the memory for it they start over."""
    try:
        checkpoint = store.read_checkpoint(cohort_id)
        if checkpoint is None or isinstance(checkpoint, DamagedCheckpoint):
            return False
        for half in halves:
            store.write_checkpoint(half.id, *checkpoint_part(half.runs, *checkpoint))
    except MemoryError:
        for half in halves:
            store.drop_checkpoint(half.id)
        return False
    return True
