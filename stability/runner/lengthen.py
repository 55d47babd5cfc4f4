"""Runs that ended at a shorter horizon go on from their kept states, as if they had been planned so long."""

from __future__ import annotations

from stability.design.plan import cohort_runs
from stability.errors import StabilityError
from stability.runner.trainer import Track, encode_tracks
from stability.store import PlannedCohort, Store
from stability.store.shorter import cut_short, keeps_state, kept_weights, read_state, take_up
from stability.store.transaction import COHORTS


def check_states(store: Store) -> None:
    """Raise StabilityError where a finished cohort has no state to go on from."""
    for cohort in sorted(store.finished()):
        if not keeps_state(store, cohort):
            raise StabilityError(
                f"{store.folder}: {COHORTS}/{cohort} has lost the state that its runs would go on from; "
                f"move it elsewhere, and they are trained from their beginning"
            )


def take_up_shorter(store: Store) -> None:
    """Make every cohort that was cut short one under way, at the step where it ended.

    Safe to be killed in and to be called again. Raises StabilityError: something of it is damaged.
    """
    planned = {cohort.id: cohort for cohort in store.plan.cohorts}
    for cohort_id in cut_short(store):
        _take_up(store, planned[cohort_id])


def _take_up(store: Store, cohort: PlannedCohort) -> None:
    data, state = store.read_cohort(cohort.id), read_state(store, cohort.id)
    tracks = {run.run: Track(run, seconds=data.seconds[run.run]) for run in cohort_runs(store.plan, cohort)}
    for history in data.histories:
        track = tracks[history.run]
        track.records, track.evaluations = list(history.records), list(history.evaluations)
        track.divergence, track.last_step = history.divergence, history.last_step
        track.stopped = history.run not in state.active
        if track.stopped:
            track.weights = kept_weights(store, cohort.id, history.run)
    for run, film in data.filmstrips.items():
        tracks[run].pictures, tracks[run].picture_steps = list(film.images), list(film.steps)
    take_up(store, cohort.id, *encode_tracks(state, tracks.values()))
