"""A cohort that took more memory than there is: split into two, which start over.

A member's numbers are the same bit for bit whatever the cohort that it trains in, so only time is lost.
"""

from __future__ import annotations

from stability.errors import StabilityError
from stability.runner.planning import with_split
from stability.runner.reporter import Reporter
from stability.runner.status import SPLIT
from stability.store import PlannedCohort, Store


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
    into = [half.id for half in halves]
    environment = store.environment
    entry = {"cohort": cohort.id, "runs": list(cohort.runs), "into": into, "reason": reason}
    store.drop_checkpoint(cohort.id)  # first: once it is not planned, nobody would
    store.extend(
        plan,
        study_yaml=store.study_yaml,
        environment=environment | {SPLIT: [*environment.get(SPLIT, ()), entry]},
    )
    reporter.note(f"{cohort.id}: {reason}; its {len(cohort.runs)} runs start over as {' and '.join(into)}")
    return halves
